// How the text goes on: greedily, as `handcraft run` continues it, or drawn with a seed.

import { fill, find, make, visible } from './dom.js';
import { answer, argmax } from './decoding.js';
import { NOT_FINITE, softmax } from './gpt2.js';

const MOST_ADDED = 500; // tokens: more would keep the page busy

/**
 * @param {import('./state.js').View} view
 * @param {HTMLElement} root
 */
export function runPanel(view, root) {
  const field = (/** @type {string} */ which) => /** @type {HTMLInputElement} */ (find(root, which));
  const sample = field('.sample');
  const gap = view.model.prompts.texts.cut === 'ids' ? ' ' : ''; // between tokens
  for (const input of root.querySelectorAll('input')) input.addEventListener('input', draw);
  return draw;

  function draw() {
    const choose = sample.checked ? drawing(knobs()) : undefined;
    const wanted = field('.many').valueAsNumber;
    const many = wanted >= 1 ? Math.min(wanted, MOST_ADDED) : undefined;
    const said = continued(view, view.model, many, choose);
    const before = view.done && view.pass ? view.original : null;
    const written = before ? words(continued(view, before, many).said) : '';
    fill(find(root, '.answer'), words(said.before), gap, make('b', {}, words(said.said)), gap, words(said.after));
    find(root, '.ending').textContent = said.ending;
    fill(find(root, '.written'), before ? 'As written: ' : null, before ? make('bdi', {}, written) : null);
    find(root, '.written').classList.toggle('wrong', written !== words(said.said));
  }

  /** @param {number[]} ids */
  function words(ids) {
    return visible(ids.map((id) => view.model.tokens[id]).join(gap));
  }

  /** @returns {Knobs} */
  function knobs() {
    const of = (/** @type {string} */ which, /** @type {number} */ otherwise) => {
      const value = field(which).valueAsNumber;
      return value > 0 ? value : otherwise;
    };
    return { temperature: of('.temperature', 1), k: of('.topk', Infinity), p: of('.topp', 1), seed: of('.seed', 0) };
  }
}

/** @typedef {{temperature: number, k: number, p: number, seed: number}} Knobs */

/**
 * The text, what the model says, and where that ends.
 * @param {import('./state.js').View} view
 * @param {import('./model.js').Model} model its own, or the one as written
 * @param {number} [many]
 * @param {(logits: Float32Array) => number} [choose]
 */
function continued(view, model, many, choose) {
  if (!view.pass) return { before: [], said: [], after: [], ending: 'Not answered.' };
  const found = answered(model, view.given, many, choose);
  if (!found) return { before: [], said: [], after: [], ending: `Not answered: ${NOT_FINITE}.` };
  const { ids, added, answer: said } = found;
  if (!added.length && said.length) return { before: [], said, after: [], ending: 'A token for each position of the text.' };
  const isStopped = added.length > 0 && added[added.length - 1] === model.stopId;
  const after = added.slice(isStopped && said[said.length - 1] !== model.stopId ? -1 : added.length);
  const echoes = added.slice(0, added.length - said.length - after.length);
  const ending = `${added.length} tokens${isStopped ? ', the last of them the stop token' : ''}.`;
  return { before: [...ids, ...echoes], said, after, ending };
}

/**
 * What the model says; null where its numbers are too large on the way.
 * @param {Parameters<typeof answer>} given
 */
function answered(...given) {
  try {
    return answer(...given);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
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
