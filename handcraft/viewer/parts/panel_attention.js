// The attention of one head as a heat map, and why a query looks at a key: its score, split by pairs of lanes.

import { button, choices, fill, find, largest, make, name, number, tableOf } from './dom.js';
import { explainScore } from './reasons.js';
import { stepOf } from './panel_steps.js';
import { shaded } from './panel_stream.js';
import { headsOf } from './state.js';

const MOST_POSITIONS = 64; // in a heat map
const MOST_VALUES = 12; // in a sentence

/**
 * @param {import('./state.js').View} view
 * @param {HTMLElement} root
 */
export function attentionPanel(view, root) {
  const kind = /** @type {HTMLSelectElement} */ (find(root, '.shown'));
  const heads = headsOf(view.model);
  kind.addEventListener('change', draw);
  root.hidden = !heads.length;
  return draw;

  function draw() {
    const head = heads.findIndex((one) => one.layer === view.layer && one.head === view.head);
    choices(find(root, '.heads'), `head-${view.id}`, heads.map((one) => one.name), head,
      (i) => view.change(stepOf(view.model, `${heads[i].name}.`)));
    const computed = view.pass?.blocks[view.layer]?.attn?.heads[view.head];
    fill(find(root, '.drawn'), computed ? heatMap(view, heads[head].name, computed, kind.value) : null);
    fill(find(root, '.why'), ...(computed ? why(view, computed) : []));
  }
}

/**
 * @param {import('./state.js').View} view
 * @param {string} head
 * @param {import('./gpt2.js').HeadPass} computed
 * @param {string} kind
 */
function heatMap(view, head, { pattern, scores }, kind) {
  const first = Math.min(Math.max(0, view.ids.length - MOST_POSITIONS), Math.max(0, view.at - MOST_POSITIONS / 2));
  const positions = [...view.ids.keys()].slice(first, first + MOST_POSITIONS);
  const shown = kind === 'scores' ? scores : pattern;
  const size = kind === 'scores' ? largest(positions.map((q) => largest(shown[q]))) : 1;
  return tableOf({
    label: `${kind === 'scores' ? 'scores' : 'attention weights'} of head ${head}`,
    corner: 'asks ↓ sees →',
    columns: positions.map((k) => name(view.position(k))),
    rows: positions.map((q) => name(view.position(q))),
    picked: [view.at - first, view.key - first],
    pick: (q, k) => view.change({ at: first + q, key: first + k }),
    cell(row, column) {
      const [q, k] = [first + row, first + column];
      if (unseen(view, q, k)) return { text: '', kind: 'future', label: 'in the future' };
      const { share } = shaded(shown[q][k], size);
      return { text: kind === 'scores' ? number(shown[q][k], 3) : brief(shown[q][k]), share };
    },
  });
}

/**
 * A weight in a narrow cell.
 * @param {number} weight
 */
function brief(weight) {
  return weight > 0 && weight < 5e-4 ? '~0' : String(Math.round(weight * 1000) / 1000);
}

/**
 * @param {import('./state.js').View} view
 * @param {number} query
 * @param {number} key
 */
function unseen({ model }, query, key) {
  return model.causal && key > query;
}

/**
 * @param {import('./state.js').View} view
 * @param {import('./gpt2.js').HeadPass} computed
 */
function why(view, { scores, pattern, v }) {
  const { at, key, model, layer, head, pass } = view;
  const pair = [name(view.position(at)), ' looks at ', name(view.position(key))];
  if (!pass || unseen(view, at, key)) return [make('p', {}, ...pair, '? It lies in the future, and is not seen.')];
  const names = model.blocks[layer].heads[head].value;
  const value = [...names.keys()].filter((i) => names[i] && v[key][i]).sort((a, b) => Math.abs(v[key][b]) - Math.abs(v[key][a]));
  const few = value.slice(0, MOST_VALUES).sort((a, b) => a - b);
  const parts = explainScore(model, pass, layer, head, at, key);
  return [
    make('p', { class: 'looks' }, ...pair, `: score ${number(scores[at][key])}, weight ${number(pattern[at][key])}, value `,
      ...(few.length ? few.flatMap((i) => [' ', name(names[i]), ` ${number(v[key][i])}`]) : ['0']),
      value.length > few.length && ` and ${value.length - few.length} smaller ones`, '. ',
      button('what the head adds', () => view.change(stepOf(model, `${model.blocks[layer].heads[head].name}.`)), { class: 'link', 'data-key': 'adds' })),
    split(model, parts, scores[at][key]),
  ];
}

/**
 * @param {import('./model.js').Model} model
 * @param {{queryLane: number, keyLane: number, part: number}[]} parts
 * @param {number} score
 */
function split(model, parts, score) {
  const size = largest(parts.map(({ part }) => part));
  return tableOf({
    label: `the score, query · key / √${model.dHead}, by pairs of lanes; 1 is the bias`,
    corner: 'query lane',
    columns: ['key lane', 'part of the score'],
    rows: [...parts.map(({ queryLane }) => name(model.laneName(queryLane))), 'together'],
    kind: (row) => (row === parts.length ? 'total' : ''),
    cell(row, column) {
      const one = parts[row];
      if (column === 0) return { text: one && name(model.laneName(one.keyLane)) };
      return one ? shaded(one.part, size) : { text: number(score) };
    },
  });
}
