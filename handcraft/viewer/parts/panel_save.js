// The tables of a panel as files: SVG as they are drawn, JSON as they read.

import { button, find, make } from './dom.js';

const SVG = 'http://www.w3.org/2000/svg';

/**
 * Adds the buttons to a panel.
 * @param {import('./state.js').View} view
 * @param {HTMLElement} root which takes the buttons
 * @param {HTMLElement} panel
 */
export function savePanel(view, root, panel) {
  const heading = find(panel, 'h2').textContent;
  const file = `${view.model.name} ${heading}`.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  root.append(make('p', { class: 'save buttons' },
    button('SVG', () => download(`${file}.svg`, 'image/svg+xml', svgOf(root)), { 'aria-label': `save as SVG: ${heading}` }), ' ',
    button('JSON', () => download(`${file}.json`, 'application/json', jsonOf(view, root)), { 'aria-label': `save as JSON: ${heading}` })));
}

/**
 * @param {string} file
 * @param {string} type
 * @param {string} text
 */
function download(file, type, text) {
  const href = URL.createObjectURL(new Blob([text], { type }));
  make('a', { href, download: file }).click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}

/**
 * @param {import('./state.js').View} view
 * @param {HTMLElement} root
 */
function jsonOf(view, root) {
  const texts = (/** @type {HTMLTableRowElement} */ row) => [...row.cells].map((cell) => cell.textContent);
  const tables = [...root.querySelectorAll('table')].map((table) => ({
    label: table.caption?.textContent, rows: [...table.rows].map(texts),
  }));
  return JSON.stringify({ model: view.model.name, text: view.text, position: view.at, edits: view.done, tables }, null, 1);
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
function shape(tag, attributes, text = '') {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.textContent = text;
  return element;
}

/** @param {HTMLElement} root */
function svgOf(root) {
  const style = getComputedStyle(root);
  const svg = shape('svg', { xmlns: SVG, 'font-family': 'monospace', 'font-size': 14, fill: style.color });
  const ground = shape('rect', { width: '100%', height: '100%', fill: getComputedStyle(document.body).backgroundColor });
  svg.append(ground);
  let [width, top] = [0, 8];
  for (const table of root.querySelectorAll('table')) {
    const scroll = /** @type {HTMLElement} */ (table.closest('.scroll'));
    scroll.scrollTo(0, 0); // else the headings stand where they stick
    const frame = table.getBoundingClientRect();
    for (const cell of table.querySelectorAll('caption, th, td')) drawCell(svg, cell, 8 - frame.left, top - frame.top);
    width = Math.max(width, frame.width + 16);
    top += frame.height + 16;
  }
  svg.setAttribute('viewBox', `0 0 ${Math.ceil(width)} ${Math.ceil(top)}`);
  return new XMLSerializer().serializeToString(svg);
}

/**
 * @param {Element} svg
 * @param {Element} cell
 * @param {number} right how far it is moved
 * @param {number} down
 */
function drawCell(svg, cell, right, down) {
  const { left, top, width, height } = cell.getBoundingClientRect();
  const style = getComputedStyle(cell);
  const [x, y] = [left + right, top + down];
  const share = Number(style.getPropertyValue('--share') || 1);
  const [red, green, blue, alpha = 1] = channels(style.backgroundColor);
  const bar = cell.classList.contains('bar');
  const fill = bar ? getComputedStyle(document.documentElement).getPropertyValue('--blue') : `rgb(${red},${green},${blue})`;
  if (bar || alpha) svg.append(shape('rect', { x, y, width: bar ? width * share : width, height, fill, 'fill-opacity': bar ? 1 : alpha }));
  const isLeft = ['left', 'start'].includes(style.textAlign);
  const place = { x: isLeft ? x + 4 : x + width - 4, 'text-anchor': isLeft ? 'start' : 'end' };
  svg.append(shape('text', { ...place, y: y + height - 6, fill: style.color }, cell.textContent ?? ''));
}

/**
 * The numbers of a color as the browser computes it: `rgb(0, 0, 0)`, or `color(srgb 0 0 0 / 0.5)`.
 * @param {string} color
 */
function channels(color) {
  const numbers = (color.match(/[\d.]+(?:e-\d+)?/g) ?? []).map(Number);
  return color.startsWith('color') ? numbers.map((one, i) => (i < 3 ? Math.round(one * 255) : one)) : numbers;
}
