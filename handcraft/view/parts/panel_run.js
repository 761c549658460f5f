// How the text goes on: greedily, as `handcraft run` continues it, or drawn with a seed.

import { fill, find, make, visible } from './dom.js';
import { argmax, greedyRun, softmax } from './gpt2.js';

/**
 * @param {import('./state.js').View} view
 * @param {HTMLElement} root
 */
export function runPanel(view, root) {
  const field = (/** @type {string} */ which) => /** @type {HTMLInputElement} */ (find(root, which));
  const sample = field('.sample');
  for (const input of root.querySelectorAll('input')) input.addEventListener('input', draw);
  return draw;

  function draw() {
    const problem = view.pass ? '' : 'Not answered.';
    const many = field('.many').valueAsNumber || undefined;
    const choose = sample.checked ? drawing(knobs()) : undefined;
    const ids = problem ? [] : greedyRun(view.model, view.whole, many, choose);
    const words = (/** @type {number[]} */ some) => visible(some.map((id) => view.model.tokens[id]).join(''));
    fill(find(root, '.answer'), words(view.whole), make('b', {}, words(ids)));
    find(root, '.ending').textContent = problem || ending(view, ids);
  }

  /** @returns {Knobs} */
  function knobs() {
    const of = (/** @type {string} */ which, /** @type {number} */ otherwise) => field(which).valueAsNumber || otherwise;
    return { temperature: of('.temperature', 1), k: of('.topk', Infinity), p: of('.topp', 1), seed: of('.seed', 0) };
  }
}

/** @typedef {{temperature: number, k: number, p: number, seed: number}} Knobs */

/**
 * @param {import('./state.js').View} view
 * @param {number[]} ids
 */
function ending({ model }, ids) {
  const last = model.tokens[ids[ids.length - 1]];
  if (last !== undefined && last === model.claim?.stop) return `${ids.length} tokens, up to the stop token.`;
  return `${ids.length} tokens.`;
}

/**
 * A function that draws a token by its probability; the same seed draws the same tokens.
 * @param {Knobs} knobs
 * @returns {(logits: Float32Array) => number}
 */
export function drawing({ temperature, k, p, seed }) {
  const random = randoms(seed);
  return (logits) => {
    const best = logits[argmax(logits)];
    const chances = softmax(logits.map((logit) => (logit - best) / temperature));
    const order = [...chances.keys()].sort((a, b) => chances[b] - chances[a] || a - b).slice(0, k);
    let sum = 0;
    const kept = order.filter((id) => {
      const before = sum;
      sum += chances[id];
      return before < p;
    });
    let left = random() * kept.reduce((total, id) => total + chances[id], 0);
    return kept.find((id) => (left -= chances[id]) < 0) ?? kept[0];
  };
}

/**
 * Numbers from 0 to 1 that only the seed decides: a counter, well mixed (splitmix32).
 * @param {number} seed
 */
function randoms(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}
