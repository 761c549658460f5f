/**
 * Why the numbers of a pass are what they are: a score by pairs of lanes, a logit by rules. Each sums
 * to the whole.
 */

import { spread, unembedded } from './gpt2.js';

/** @typedef {import('./model.js').Model} Model */
/** @typedef {import('./model.js').Matrix} Matrix */
/** @typedef {import('./model.js').LinearMap} LinearMap */
/** @typedef {import('./gpt2.js').Pass} Pass */

/**
 * Why a query attends to a key: the score split by pairs of lanes of the stream, one that the query
 * reads and one that the key reads; the greatest parts first. They sum to the score. The lane
 * model.nEmbd is the constant 1 (model.laneName names all). Where there is a layer norm, lanes are
 * those behind it.
 * @param {Model} model
 * @param {Pass} found
 * @param {number} layer
 * @param {number} head
 * @param {number} q the position of the query
 * @param {number} k that of the key
 * @returns {{queryLane: number, keyLane: number, part: number}[]}
 */
export function explainScore(model, found, layer, head, q, k) {
  const weights = model.weights.blocks[layer].attn;
  const attn = found.blocks[layer].attn;
  if (!weights || !attn) return [];
  const queries = laneParts(model, attn.normed[q], weights.c_attn, head * model.dHead);
  const keys = laneParts(model, attn.normed[k], weights.c_attn, model.nEmbd + head * model.dHead);
  const scale = Math.sqrt(model.dHead);
  const parts = queries.flatMap((a) =>
    keys.map((b) => ({ queryLane: a.lane, keyLane: b.lane, part: exactDot(a.adds, b.adds) / scale })),
  );
  return parts.filter(({ part }) => part !== 0).sort((a, b) => Math.abs(b.part) - Math.abs(a.part));
}

/** What each lane adds to the d_head columns from `first` on; the constant last. @param {Model} model @param {Float32Array} x @param {LinearMap} map @param {number} first */
function laneParts(model, x, { w, b }, first) {
  const columns = Array.from({ length: model.dHead }, (_, j) => first + j);
  const found = [];
  for (let lane = 0; lane <= model.nEmbd; lane++) {
    const [factor, from, row] = lane < model.nEmbd ? [x[lane], w, lane] : [1, b, 0];
    if (factor === 0) continue;
    const adds = columns.map((column) => factor * from.at(row, column));
    if (adds.some((value) => value !== 0)) found.push({ lane, adds });
  }
  return found;
}

/** @param {number[]} a @param {number[]} b */
function exactDot(a, b) {
  return a.reduce((sum, value, j) => sum + value * b[j], 0);
}

/**
 * What each rule gave to the logits of a position: for each rule that wrote to the stream there,
 * its part of each logit. They sum to the logits. A layer norm before the unembedding is linear
 * for a given spread, and its constants are the part of the rule of `ln_f`.
 * @param {Model} model
 * @param {Pass} found
 * @param {number} position
 * @returns {{rule: number, logits: Float64Array}[]}
 */
export function contributions(model, found, position) {
  const written = /** @type {Map<number, Float64Array>} */ (new Map());
  const sumsOf = (/** @type {number} */ rule) => {
    const known = written.get(rule) ?? new Float64Array(model.nEmbd);
    written.set(rule, known);
    return known;
  };
  const add = (/** @type {Matrix} */ matrix, /** @type {number} */ row, /** @type {number} */ factor) => {
    if (factor === 0) return;
    const sole = model.soleRule(matrix, row);
    if (sole !== null) return addRow(sumsOf(sole), matrix.row(row), factor);
    for (const { column, value, rule } of model.pieces(matrix, row)) sumsOf(rule)[column] += factor * value;
  };
  addedRows(model, found, position, add);
  const { ln_f, lm_head, wte } = model.weights;
  const last = found.blocks.length ? found.blocks[found.blocks.length - 1].residPost : found.embed;
  const scaled = ln_f && spread(last[position], model.epsilon).deviation;
  if (ln_f && scaled) for (const row of written.values()) normedPart(row, ln_f.g.values, scaled);
  if (ln_f) add(ln_f.b, 0, 1);
  return [...written].map(([rule, row]) => ({ rule, logits: unembedded(row, lm_head ?? wte) }));
}

/** @param {Float64Array} sums @param {Float32Array} row @param {number} factor */
function addRow(sums, row, factor) {
  for (let i = 0; i < sums.length; i++) sums[i] += factor * row[i];
}

/** A part of the stream behind a layer norm, but for its constants; in place. @param {Float64Array} row @param {Float32Array} g @param {number} deviation */
function normedPart(row, g, deviation) {
  const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
  row.forEach((value, i) => (row[i] = (g[i] * (value - mean)) / deviation));
}

/**
 * Every row of a matrix that was added to the stream at a position, with its factor.
 * @param {Model} model @param {Pass} found @param {number} position
 * @param {(matrix: Matrix, row: number, factor: number) => void} add
 */
function addedRows(model, found, position, add) {
  const { wte, wpe, blocks } = model.weights;
  add(wte, found.ids[position], 1);
  add(wpe, position, 1);
  blocks.forEach(({ attn, mlp: feed }, layer) => {
    const { attn: seen, mlp: fed } = found.blocks[layer];
    if (attn && seen) {
      seen.heads.forEach((head, h) => head.z[position].forEach((z, j) => add(attn.c_proj.w, h * model.dHead + j, z)));
      add(attn.c_proj.b, 0, 1);
    }
    if (feed && fed) {
      fed.post[position].forEach((post, j) => add(feed.c_proj.w, j, post));
      add(feed.c_proj.b, 0, 1);
    }
  });
}
