// Makes elements, numbers as texts, and tables. What a program or a person wrote only ever becomes text, never markup.

import { printable } from './prompt.js';

/** @typedef {Node | string | null | false | undefined} Child */

/**
 * An element with attributes (`onclick` and the like are listeners) and children.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, unknown>} [attributes] one that is null or false is left out, but for aria-
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') {
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else if (value !== null && value !== undefined && (value !== false || name.startsWith('aria'))) {
      element.setAttribute(name, String(value));
    }
  }
  for (const child of children) if (child || child === '') element.append(child);
  return element;
}

/**
 * The one element inside another that a selector names.
 * @template {HTMLElement} [E=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {E}
 */
export function find(root, selector) {
  return /** @type {E} */ (root.querySelector(selector));
}

/** @type {WeakMap<Element, [number, number]>} how far frames are scrolled; asking them would lay out the page */
const scrolled = new WeakMap();

/**
 * A frame that scrolls, so that the page need not.
 * @param {string} label
 * @param {Node} content
 */
export function frameOf(label, content) {
  /** @param {Event} event */
  const onscroll = ({ target }) => target instanceof Element && scrolled.set(target, [target.scrollLeft, target.scrollTop]);
  return make('div', { class: 'scroll', role: 'region', 'aria-label': label, tabindex: 0, onscroll }, content);
}

/**
 * Puts new content into an element; what had the focus inside it, and how far it was scrolled, stay.
 * @param {HTMLElement} root
 * @param {...Child} children
 */
export function fill(root, ...children) {
  const active = document.activeElement;
  const key = active instanceof HTMLElement && root.contains(active) ? active.dataset.key : undefined;
  const before = [...root.querySelectorAll('.scroll')].map((one) => scrolled.get(one));
  const picked = pickedIn(root);
  root.replaceChildren(...children.filter((child) => child || child === '').map((child) => /** @type {Node} */ (child)));
  root.querySelectorAll('.scroll').forEach((one, i) => {
    if (before[i]) [one.scrollLeft, one.scrollTop] = before[i];
  });
  const now = pickedIn(root);
  if (now && now.dataset.key !== picked?.dataset.key) reveal(now);
  if (key !== undefined) find(root, `[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

/** @param {HTMLElement} root @returns {HTMLElement | null} */
function pickedIn(root) {
  return root.querySelector('[aria-selected=true]');
}

/**
 * Scrolls a cell's frame, and nothing else, until it is seen beside the headings that stick to the frame.
 * @param {Element} cell
 */
function reveal(cell) {
  const scroll = /** @type {HTMLElement} */ (cell.closest('.scroll'));
  const [frame, box] = [scroll.getBoundingClientRect(), cell.getBoundingClientRect()];
  const head = scroll.querySelector('tbody th')?.getBoundingClientRect() ?? box;
  const short = (/** @type {number} */ before, /** @type {number} */ beyond) => Math.min(before, 0) || Math.max(beyond, 0);
  scroll.scrollLeft += short(box.left - frame.left - head.width, box.right - frame.right);
  scroll.scrollTop += short(box.top - frame.top - 2 * head.height, box.bottom - frame.bottom);
}

/**
 * A text with what cannot be seen, or would turn the line around, written out; a space at either end as ␣.
 * @param {string} text
 */
export function visible(text) {
  return printable(text).replace(/^ +| +$/g, (spaces) => '␣'.repeat(spaces.length));
}

/**
 * Such a text as an element of its own, which keeps its direction to itself.
 * @param {string} text
 */
export function name(text) {
  return make('bdi', {}, visible(text));
}

/**
 * A number with at most so many digits; a whole number with all.
 * @param {number} value
 * @param {number} [digits]
 */
export function number(value, digits = 6) {
  if (!Number.isFinite(value) || (Number.isInteger(value) && Math.abs(value) < 1e9)) return String(value);
  const short = Number(value.toPrecision(digits));
  return Math.abs(short) < 1e-4 ? short.toExponential() : String(short);
}

/**
 * A number beside others of this size: one that 32-bit floats lose beside them is `~0`.
 * @param {number} value
 * @param {number} size
 * @param {number} [digits]
 */
export function beside(value, size, digits = 6) {
  const lost = Math.min(1e-12, 2 ** -25 * size);
  return value !== 0 && Math.abs(value) < lost ? '~0' : number(value, digits);
}

/** @param {ArrayLike<number>} values */
export function largest(values) {
  let most = 0;
  for (let i = 0; i < values.length; i++) if (Number.isFinite(values[i])) most = Math.max(most, Math.abs(values[i]));
  return most;
}

/**
 * A button; `key` finds it again after it was drawn anew.
 * @param {Child} text
 * @param {() => void} press
 * @param {Record<string, unknown>} [attributes]
 */
export function button(text, press, attributes = {}) {
  return make('button', { type: 'button', onclick: press, ...attributes }, text);
}

/**
 * A choice of one among several, moved through with the arrow keys; made once.
 * @param {HTMLElement} fieldset whose legend stays
 * @param {string} group
 * @param {string[]} options
 * @param {number} chosen
 * @param {(index: number) => void} choose
 */
export function choices(fieldset, group, options, chosen, choose) {
  const inputs = fieldset.querySelectorAll('input');
  if (inputs[chosen]) {
    inputs[chosen].checked = true;
    return;
  }
  const labels = options.map((option, i) => {
    const input = make('input', {
      type: 'radio', name: group, value: i, 'data-key': `${group} ${i}`, onchange: () => choose(i),
    });
    input.checked = i === chosen;
    return make('label', {}, input, name(option));
  });
  fill(fieldset, fieldset.querySelector('legend'), ...labels);
}

/**
 * @typedef {object} Cell
 * @property {Child} text
 * @property {number} [share] from -1 (all orange) to 1 (all blue)
 * @property {string} [kind] a class
 * @property {string} [label] what a screen reader says in place of the text
 *
 * @typedef {object} Table
 * @property {string} label
 * @property {Child[]} columns
 * @property {Child[]} rows
 * @property {string} [corner]
 * @property {(row: number, column: number) => Cell} cell
 * @property {(row: number) => string} [kind] the class of a row
 * @property {[number, number]} [picked] where cells can be picked: the one that is
 * @property {(row: number, column: number) => void} [pick]
 */

const MOST_COLUMNS = 100; // of one table
const MOST_CELLS = 6000; // the browser takes long to lay out more

/**
 * A table in a frame that scrolls. Where cells can be picked it is a grid: one cell is in the order of Tab, the arrow keys
 * move from it.
 * @param {Table} table
 * @returns {HTMLElement}
 */
export function tableOf(table) {
  const { label, corner = '', pick } = table;
  const columns = table.columns.slice(0, MOST_COLUMNS);
  const rows = table.rows.slice(0, Math.floor(MOST_CELLS / Math.max(20, columns.length)));
  const head = make('tr', {}, make(corner ? 'th' : 'td', corner ? { scope: 'col' } : { class: 'corner' }, corner),
    ...columns.map((column) => make('th', { scope: 'col' }, column)));
  const body = make('tbody', {}, ...rows.map((row, r) => make('tr', { class: table.kind?.(r) || null },
    make('th', { scope: 'row' }, row), ...columns.map((_, c) => tableCell(table, r, c)))));
  const made = make('table', pick ? { role: 'grid', 'aria-label': label } : {},
    make('caption', {}, label, more('rows', table.rows, rows), more('columns', table.columns, columns)), make('thead', {}, head), body);
  if (pick) made.addEventListener('keydown', (event) => moveInGrid(event, body, pick));
  return frameOf(label, made);
}

/**
 * @param {string} what
 * @param {Child[]} all
 * @param {Child[]} shown
 */
function more(what, all, shown) {
  return all.length > shown.length && ` (${shown.length} of ${all.length} ${what})`;
}

/**
 * @param {Table} table
 * @param {number} row
 * @param {number} column
 */
function tableCell({ label, cell, pick, picked = [0, 0] }, row, column) {
  const { text, share = 0, kind = '', label: said } = cell(row, column);
  const isPicked = row === picked[0] && column === picked[1];
  const td = make('td', {
    class: `${kind} ${share > 0 ? 'plus' : share < 0 ? 'minus' : ''}`.trim() || null,
    'aria-label': said,
    ...(pick && {
      tabindex: isPicked ? 0 : -1, 'aria-selected': isPicked, 'data-key': `${label} ${row} ${column}`,
      onclick: () => pick(row, column),
    }),
  }, text);
  if (share) td.style.setProperty('--share', String(Math.abs(share)));
  return td;
}

/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -1e9], End: [0, 1e9] };

/**
 * Moves to the next cell that has a text.
 * @param {KeyboardEvent} event
 * @param {HTMLTableSectionElement} body
 * @param {(row: number, column: number) => void} pick
 */
function moveInGrid(event, body, pick) {
  const [down, right] = ARROWS[event.key] ?? [0, 0];
  const td = /** @type {HTMLElement} */ (event.target).closest('td');
  if (!td || !(down || right)) return;
  event.preventDefault();
  const tr = /** @type {HTMLTableRowElement} */ (td.parentElement);
  const within = (/** @type {number} */ value, /** @type {number} */ many) => Math.max(0, Math.min(many - 1, value));
  const row = within(tr.sectionRowIndex + down, body.rows.length);
  const column = within(td.cellIndex - 1 + right, tr.cells.length - 1);
  const next = body.rows[row].cells[column + 1];
  next.focus();
  pick(row, column);
}
