// What each rule gave to each logit at the chosen position; together they are the logits.

import { button, fill, find, largest, make, name, tableOf } from './dom.js';
import { argmax } from './decoding.js';
import { contributions } from './reasons.js';
import { pointOut } from './panel_rules.js';
import { shaded } from './panel_stream.js';

const MOST_TOKENS = 32; // tokens, those with the highest logits

/**
 * @param {import('./state.js').View} view
 * @param {HTMLElement} root
 */
export function givenPanel(view, root) {
  return () => {
    const { pass } = view;
    fill(find(root, '.drawn'), pass && given(view, pass));
  };
}

/**
 * @param {import('./state.js').View} view
 * @param {import('./gpt2.js').Pass} pass
 */
function given(view, pass) {
  const { model, at } = view;
  const parts = byPath(view.model, pass, at);
  const before = view.original && view.before ? byPath(view.original, view.before, at) : null;
  const logits = pass.logits[at];
  const ids = [...logits.keys()].sort((a, b) => logits[b] - logits[a]).slice(0, MOST_TOKENS).sort((a, b) => a - b);
  const best = argmax(logits);
  const sizes = ids.map((id) => largest(parts.map((part) => part.logits[id])));
  return tableOf({
    label: `parts of the logits after ${view.position(at)}`,
    corner: 'rule',
    columns: ids.map((id) => make('span', {}, id === best && '▸ ', name(model.tokens[id]))),
    rows: [...parts.map(({ path }) => ruleButton(view, path)), 'together'],
    kind: (row) => (row === parts.length ? 'total' : ''),
    cell(row, column) {
      const id = ids[column];
      if (row === parts.length) return shaded(logits[id], 0, view.before?.logits[at][id]);
      const written = before && (before.find(({ path }) => path === parts[row].path)?.logits[id] ?? 0);
      return shaded(parts[row].logits[id], sizes[column], written ?? undefined);
    },
  });
}

/**
 * The parts of the rules that stand at one path of the program, together.
 * @param {import('./model.js').Model} model
 * @param {import('./gpt2.js').Pass} pass
 * @param {number} at
 */
function byPath(model, pass, at) {
  /** @type {Map<string, {path: string, logits: Float64Array}>} */
  const found = new Map();
  for (const { rule, logits } of contributions(model, pass, at)) {
    const { path } = model.rules[rule];
    const sum = found.get(path);
    if (sum) logits.forEach((value, i) => (sum.logits[i] += value));
    else found.set(path, { path, logits });
  }
  const known = new Set(model.rules.filter(({ source }) => source).map(({ path }) => path));
  return [...found.values()].filter(({ path, logits }) => known.has(path) || logits.some(Boolean));
}

/**
 * @param {import('./state.js').View} view
 * @param {string} path
 */
function ruleButton(view, path) {
  const group = view.groups.find((one) => one.path === path);
  return group ? button(name(path), () => pointOut(view, group.rules), { class: 'link', 'data-key': `given ${path}` }) : name(path);
}
