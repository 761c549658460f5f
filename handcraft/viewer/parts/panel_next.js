// The next token after the chosen position: logits, probabilities as bars, and what it was before anything was edited.

import { fill, find, make, name, number, tableOf } from './dom.js';
import { argmax } from './decoding.js';
import { softmax } from './gpt2.js';

const FEW_TOKENS = 12; // more tokens than these are shown only when asked for,
const BEST_TOKENS = 6; // and else so many of them

/**
 * @param {import('./state.js').View} view
 * @param {HTMLElement} root
 */
export function nextPanel(view, root) {
  const all = /** @type {HTMLInputElement} */ (find(root, '.all input'));
  all.addEventListener('change', draw);
  find(root, '.all').hidden = view.model.tokens.length <= FEW_TOKENS;
  return draw;

  function draw() {
    const logits = view.pass?.logits[view.at];
    fill(find(root, '.place'), ...(logits ? ['after ', name(view.position(view.at))] : []));
    fill(find(root, '.bars'), ...(logits ? [bars(view, logits, all.checked), lead(view, logits)] : []));
  }
}

/**
 * @param {import('./state.js').View} view
 * @param {Float32Array} logits
 * @param {boolean} all
 */
function bars(view, logits, all) {
  const { tokens } = view.model;
  const p = softmax(logits);
  const before = view.before && softmax(view.before.logits[view.at]);
  const best = argmax(logits);
  const ids = shown(logits, all);
  return tableOf({
    label: 'logits and probabilities',
    columns: ['logit', 'probability', ...(before ? ['as written'] : [])],
    rows: ids.map((id) => make('span', {}, id === best && '▸ ', name(tokens[id]))),
    kind: (row) => (ids[row] === best ? 'best' : ''),
    cell(row, column) {
      const id = ids[row];
      if (column === 0) return { text: number(logits[id]) };
      if (column === 1) return { text: number(p[id], 3), share: p[id], kind: 'bar' };
      return { text: number(before?.[id] ?? 0, 3) };
    },
  });
}

/**
 * How far the next token is ahead of the second.
 * @param {import('./state.js').View} view
 * @param {Float32Array} logits
 */
function lead({ model: { tokens } }, logits) {
  const [best, second] = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b);
  if (second === undefined) return null;
  return make('p', { class: 'lead' }, name(tokens[best]), ' is ahead of ', name(tokens[second]), ` by ${number(logits[best] - logits[second])}.`);
}

/**
 * The ids that are shown: a small vocabulary in its order, of a large one the highest logits.
 * @param {Float32Array} logits
 * @param {boolean} all
 */
function shown(logits, all) {
  const ids = [...logits.keys()];
  if (ids.length <= FEW_TOKENS) return ids;
  ids.sort((a, b) => logits[b] - logits[a] || a - b);
  return all ? ids : ids.slice(0, BEST_TOKENS);
}
