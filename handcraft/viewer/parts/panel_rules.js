// The rules of the program: each can be switched off, and leads to the cells that it wrote.

import { button, fill, find, frameOf, make, name } from './dom.js';
import { stepOf } from './panel_steps.js';

const FEW_LINES = 4; // of the lines of one rule

/**
 * @param {import('./state.js').View} view
 * @param {HTMLElement} root
 */
export function rulesPanel(view, root) {
  let drawn = '';
  return () => {
    const now = JSON.stringify([view.rules, view.log, view.done, view.groups.length]);
    if (now !== drawn) fill(find(root, '.drawn'), view.groups.length > 0 && rulesList(view), !view.groups.length && 'No rule wrote these weights.');
    drawn = now;
  };
}

/** @param {import('./state.js').View} view */
function rulesList(view) {
  return frameOf('rules', make('ul', { class: 'list' }, ...view.groups.map((group) => item(view, group))));
}

/**
 * @param {import('./state.js').View} view
 * @param {import('./state.js').RuleGroup} group
 */
function item(view, { path, source, rules }) {
  const isOff = rules.every((rule) => !view.model.isOn(rule));
  const input = make('input', {
    type: 'checkbox', 'data-key': `rule ${path}`, onchange: () => view.edit({ rules, on: input.checked }),
  });
  input.checked = !isOff;
  return make('li', { class: view.rules.includes(rules[0]) ? 'told' : null },
    make('label', {}, input, name(path)), make('span', { class: 'soft' }, name(source)), ' ',
    button('its cells', () => pointOut(view, rules), { class: 'link', 'data-key': `cells ${path}`, 'aria-label': `its cells: ${path}` }),
    ruleLines(view, rules, isOff));
}

/**
 * The first lines of a rule, the rest on demand.
 * @param {import('./state.js').View} view
 * @param {number[]} rules
 * @param {boolean} [isOff]
 */
export function ruleLines({ model }, rules, isOff = false) {
  const line = (/** @type {number} */ rule) => make('div', { class: isOff ? 'off left' : 'left' }, name(model.rules[rule].text));
  const rest = rules.slice(FEW_LINES);
  return make('div', { class: 'lines' }, ...rules.slice(0, FEW_LINES).map(line),
    rest.length > 0 && make('details', {}, make('summary', {}, `${rest.length} more`), ...rest.map(line)));
}

/**
 * Shows a rule's first cell among the matrices, marks all of its cells, and goes to the step where they act.
 * @param {import('./state.js').View} view
 * @param {number[]} rules
 */
export function pointOut(view, rules) {
  const cell = rules.flatMap((rule) => view.model.cellsOf(rule))[0];
  view.change({ rules, ...(cell && { part: cell.part, row: cell.row, column: cell.column, ...stepOf(view.model, cell.part) }) });
}
