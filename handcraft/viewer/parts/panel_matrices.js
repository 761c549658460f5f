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
  return draw;

  function draw() {
    const parts = view.model.parts();
    select.replaceChildren(...parts.map(({ part, title }) => make('option', { value: part }, `${part}  ${title}`)));
    const part = parts.find((one) => one.part === view.part) ?? parts[0];
    select.value = part.part;
    const cells = view.model.cells(part.part);
    fill(find(root, '.drawn'), matrix(view, part, cells, zeros.checked));
    fill(find(root, '.cell'), ...cellWords(view, part, cells));
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
 * @param {boolean} zeros
 */
function matrix(view, part, cells, zeros) {
  const used = (/** @type {'row' | 'column'} */ side, /** @type {string[]} */ names) => {
    const found = new Set([...cells.map((cell) => cell[side]), view[side]]);
    return [...names.keys()].filter((i) => zeros || found.has(i));
  };
  const [rows, columns] = [used('row', part.rows), used('column', part.columns)];
  const at = new Map(cells.map((cell) => [cell.row * part.columns.length + cell.column, cell]));
  const size = largest(cells.map(({ value }) => value));
  return tableOf({
    label: `${part.part}: ${part.title}`,
    columns: columns.map((i) => name(part.columns[i] || '–')),
    rows: rows.map((i) => name(part.rows[i] || '–')),
    picked: [rows.indexOf(view.row), columns.indexOf(view.column)],
    pick: (row, column) => view.change({ row: rows[row], column: columns[column], rules: [] }),
    cell(row, column) {
      const found = at.get(rows[row] * part.columns.length + columns[column]);
      const told = found?.rules.some((rule) => view.rules.includes(rule)) ? 'told' : '';
      return { ...shaded(found?.value ?? 0, size), kind: told };
    },
  });
}

/**
 * The chosen cell: its value to be changed, and the rules behind it.
 * @param {import('./state.js').View} view
 * @param {Part} part
 * @param {Cell[]} cells
 */
function cellWords(view, part, cells) {
  const { row, column } = view;
  const cell = cells.find((one) => one.row === row && one.column === column);
  const set = (/** @type {number} */ value) => {
    if (Number.isFinite(value)) view.edit({ part: part.part, row, column, value });
  };
  const value = cell?.value ?? 0;
  const input = make('input', {
    type: 'number', step: 'any', value: number(value, 9), 'data-key': 'value',
    onchange: () => set(input.valueAsNumber),
  });
  return [
    make('p', {}, 'from ', name(part.rows[row]), ' to ', name(part.columns[column]), ': ',
      make('label', {}, 'value ', input), button('set to 0', () => set(0), { 'data-key': 'zero' }), ' ',
      button('turn the sign', () => set(-value), { 'data-key': 'flip' })),
    make('ul', {}, ...(cell?.rules ?? []).map((rule) => make('li', {}, ruleWords(view, rule)))),
    cell?.rules.length ? null : make('p', {}, value ? 'No rule wrote this number.' : 'No rule writes here.'),
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
