// One matrix with named lanes. A cell leads to the rules that wrote it, and is changed below.

import { button, fill, find, largest, make, name, number, tableOf } from './dom.js';
import { shaded } from './panel_stream.js';

/**
 * @param {import('./state.js').View} view
 * @param {HTMLElement} root
 */
export function matricesPanel(view, root) {
  const select = /** @type {HTMLSelectElement} */ (find(root, '.part'));
  const zeros = /** @type {HTMLInputElement} */ (find(root, '.zeros'));
  select.addEventListener('change', () => {
    const [first] = view.model.cells(select.value);
    view.change({ part: select.value, row: first?.row ?? 0, column: first?.column ?? 0 });
  });
  zeros.addEventListener('change', draw);
  let drawn = '';
  return () => {
    const now = JSON.stringify([view.part, view.row, view.column, view.rules, view.log, view.done, view.original !== null]);
    if (now !== drawn) draw();
    drawn = now;
  };

  function draw() {
    const parts = view.model.parts();
    select.replaceChildren(...parts.map(({ part, title }) => make('option', { value: part }, `${part}  ${title}`)));
    const part = parts.find((one) => one.part === view.part) ?? parts[0];
    select.value = part.part;
    const cells = view.model.cells(part.part);
    const written = view.done && view.original?.parts().some((one) => one.part === part.part) ? view.original.cells(part.part) : cells;
    fill(find(root, '.drawn'), matrix(view, part, cells, written, zeros.checked));
    fill(find(root, '.cell'), ...cellWords(view, part, cells, written));
  }
}

/**
 * @typedef {import('./model.js').Part} Part
 * @typedef {import('./model.js').Cell} Cell
 */

/**
 * @param {import('./state.js').View} view
 * @param {Part} part
 * @param {Cell[]} cells
 * @param {Cell[]} written
 * @param {boolean} zeros
 */
function matrix(view, part, cells, written, zeros) {
  const used = (/** @type {'row' | 'column'} */ side, /** @type {string[]} */ names) => {
    const found = new Set([...[...cells, ...written].map((cell) => cell[side]), view[side]]);
    return [...names.keys()].filter((i) => zeros || found.has(i));
  };
  const [rows, columns] = [used('row', part.rows), used('column', part.columns)];
  const place = (/** @type {{row: number, column: number}} */ { row, column }) => row * part.columns.length + column;
  const [at, before] = [cells, written].map((some) => new Map(some.map((cell) => [place(cell), cell])));
  const size = largest(cells.map(({ value }) => value));
  return tableOf({
    label: `${part.part}: ${part.title}`,
    columns: columns.map((i) => name(part.columns[i] || '–')),
    rows: rows.map((i) => name(part.rows[i] || '–')),
    picked: [rows.indexOf(view.row), columns.indexOf(view.column)],
    pick: (row, column) => view.change({ row: rows[row], column: columns[column], rules: [] }),
    cell(row, column) {
      const here = place({ row: rows[row], column: columns[column] });
      const [found, was] = [at.get(here), before.get(here)];
      const told = [found, was].some((cell) => cell?.rules.some((rule) => view.rules.includes(rule)));
      return { ...shaded(found?.value ?? 0, size, was?.value ?? 0), kind: told ? 'told' : '' };
    },
  });
}

/**
 * The chosen cell: its value to be changed, and the rules behind it.
 * @param {import('./state.js').View} view
 * @param {Part} part
 * @param {Cell[]} cells
 * @param {Cell[]} written
 */
function cellWords(view, part, cells, written) {
  const { row, column } = view;
  const isHere = (/** @type {Cell} */ one) => one.row === row && one.column === column;
  const [cell, before] = [cells.find(isHere), written.find(isHere)];
  const set = (/** @type {number} */ value) => {
    if (Number.isFinite(Math.fround(value))) view.edit({ part: part.part, row, column, value });
  };
  const value = cell?.value ?? 0;
  const input = make('input', {
    type: 'number', step: 'any', value: number(value, 9), 'data-key': 'value',
    onchange: () => set(input.valueAsNumber),
  });
  return [
    make('p', {}, 'from ', name(part.rows[row]), ' to ', name(part.columns[column]), ': ',
      make('label', {}, 'value ', input), button('set to 0', () => set(0), { 'data-key': 'zero' }), ' ',
      button('turn the sign', () => set(-value), { 'data-key': 'flip' }), ' ',
      view.log.length > 0 && button('undo', () => view.undo(), { 'data-key': 'undo' })),
    (before?.value ?? 0) !== value && make('p', { class: 'wrong' }, `As written it is ${number(before?.value ?? 0)}:`),
    make('ul', {}, ...(before?.rules ?? []).map((rule) => make('li', {}, ruleWords(view, rule)))),
    before?.rules.length ? null : make('p', {}, 'No rule writes here.'),
  ];
}

/**
 * @param {import('./state.js').View} view
 * @param {number} rule
 */
export function ruleWords({ model }, rule) {
  const { path, text, source } = model.rules[rule];
  return make('span', {}, name(text), ' ← ', name(path), ' ', make('span', { class: 'soft' }, name(source)));
}
