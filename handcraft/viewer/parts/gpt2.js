/**
 * The forward pass of GPT-2: handcraft/core/gpt2.py, on the weights that are not 0.
 *
 * Embeddings of token and position are added to a vector, the residual stream; each block adds the
 * outputs of its attention and its MLP; the unembedding is `wte` transposed, or `lm_head` where
 * there is one. What the weights lack (layer norms, an MLP, an attention) is skipped.
 *
 * Numbers are those of float32: a sum is added up in float64 and rounded once (Math.fround, or a
 * Float32Array that takes it), wherever NumPy rounds. A row of numbers is a Float32Array; [n_seq, n]
 * is a list of rows.
 *
 * Sources: picoGPT (Jay Mody, "GPT in 60 Lines of NumPy", 2023); Radford et al., GPT-2, 2019.
 */

/** @typedef {import('./model.js').Model} Model */
/** @typedef {import('./model.js').Matrix} Matrix */
/** @typedef {import('./model.js').LinearMap} LinearMap */
/** @typedef {import('./model.js').Norm} Norm */
/** @typedef {Float32Array[]} Rows one row a position */
/**
 * @typedef {object} HeadPass  one head: q, k [n_seq, d_head]; scores, pattern [n_query, n_key], where
 *     a key in the future has the score -Infinity and the weight 0; v, z [n_seq, d_head];
 *     written [n_seq, n_embd] what it adds to the stream, without the constants of all heads
 * @property {Rows} q
 * @property {Rows} k
 * @property {Rows} scores
 * @property {Rows} pattern
 * @property {Rows} v
 * @property {Rows} z
 * @property {Rows} written
 */
/** @typedef {{normed: Rows, heads: HeadPass[], out: Rows}} AttentionPass */
/** @typedef {{normed: Rows, pre: Rows, post: Rows, out: Rows}} MlpPass */
/** @typedef {{residPre: Rows, attn: AttentionPass | null, residMid: Rows, mlp: MlpPass | null, residPost: Rows}} BlockPass */
/**
 * @typedef {object} Pass  every number of a forward pass; `embed` is the stream after the embedding,
 *     `final` the stream as the unembedding reads it
 * @property {number[]} ids
 * @property {Rows} embed
 * @property {BlockPass[]} blocks
 * @property {Rows} final
 * @property {Rows} logits
 */
/** @typedef {{residMid: Rows, residPost: Rows, attn: {heads: {v: Rows, z: Rows}[]} | null, mlp: {post: Rows} | null}} Judged  of a block, what must be finite */
/** @typedef {{seen: number, layers: {k: Rows, v: Rows}[][]}} Cache  keys and values of earlier positions by layer and head */

const { fround: f32 } = Math;

/** @param {number} x GPT-2's tanh form */
function gelu(x) {
  const cube = f32(f32(f32(f32(0.044715) * x) * x) * x);
  const inner = f32(f32(Math.sqrt(2 / Math.PI)) * f32(x + cube));
  return f32(f32(0.5 * x) * f32(1 + f32(Math.tanh(inner))));
}

/** @param {number} x */
function relu(x) {
  return Math.max(x, 0);
}

/** @param {Float32Array} x [n] -> [n] */
export function softmax(x) {
  const most = x.reduce((a, b) => Math.max(a, b), -Infinity);
  const exp = x.map((value) => Math.exp(f32(value - most)));
  const sum = f32(total(exp));
  return exp.map((value) => value / sum);
}

/** @param {Float32Array} x the sum, in float64 */
function total(x) {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i];
  return sum;
}

/** @param {Float32Array} x [n] @returns {{centred: Float32Array, deviation: number}} */
export function spread(x, epsilon = 0) {
  const mean = f32(total(x) / x.length);
  const centred = x.map((value) => value - mean);
  const variance = f32(total(centred.map((value) => value * value)) / x.length);
  return { centred, deviation: f32(Math.sqrt(f32(variance + f32(epsilon)))) };
}

/** @param {Float32Array} x [n_embd] -> [n_embd] @param {Norm | null} norm @param {number} epsilon */
function layerNorm(x, norm, epsilon) {
  if (norm === null) return x;
  const [g, b] = [norm.g.values, norm.b.values];
  const { centred, deviation } = spread(x, epsilon);
  return centred.map((value, i) => f32(g[i] * f32(value / deviation)) + b[i]);
}

/** @param {Float32Array} x [n_in] @param {Matrix} w [n_in, n_out] @returns {Float64Array} [n_out] */
function times(x, w, first = 0) {
  const sums = new Float64Array(w.nCols);
  const { starts, columns, values } = w.sparse;
  for (let i = 0; i < x.length; i++) {
    if (x[i] === 0) continue;
    for (let at = starts[first + i]; at < starts[first + i + 1]; at++) {
      sums[columns[at]] += x[i] * values[at];
    }
  }
  return sums;
}

/** @param {Float32Array} x [n_in] @param {LinearMap} map @returns {Float32Array} [n_out] */
function linear(x, { w, b }) {
  const bias = b.values;
  return Float32Array.from(times(x, w), (sum, j) => f32(sum) + bias[j]);
}

/** @param {Float32Array | Float64Array} x [n_embd] @param {Matrix} w [n_vocab, n_embd] @returns {Float64Array} [n_vocab] */
export function unembedded(x, w) {
  const { starts, columns, values } = w.sparse;
  const logits = new Float64Array(w.nRows);
  for (let token = 0; token < w.nRows; token++) {
    let sum = 0;
    for (let at = starts[token]; at < starts[token + 1]; at++) sum += x[columns[at]] * values[at];
    logits[token] = sum;
  }
  return logits;
}

/** @param {Float32Array} a @param {Float32Array} b @returns {number} */
function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return f32(sum);
}

/** @param {Float32Array} a @param {Float32Array} b */
function plus(a, b) {
  return a.map((value, i) => value + b[i]);
}

/**
 * One head: which positions its queries attend to, and the mean of their values.
 * @param {Rows} q @param {Rows} k of all positions @param {Rows} v @param {boolean} causal
 */
function attend(q, k, v, causal) {
  const scale = f32(Math.sqrt(q[0].length));
  const past = k.length - q.length;
  const hidden = (/** @type {number} */ i, /** @type {number} */ j) => causal && j > past + i;
  const scores = q.map((query, i) =>
    Float32Array.from(k, (key, j) => (hidden(i, j) ? -Infinity : dot(query, key) / scale)),
  );
  const pattern = scores.map(softmax);
  const z = pattern.map((weights) => weighted(weights, v));
  return { q, k, scores, pattern, v, z };
}

/** @param {Float32Array} weights [n_key] @param {Rows} v [n_key, d_head] @returns {Float32Array} [d_head] */
function weighted(weights, v) {
  const sums = new Float64Array(v[0].length);
  weights.forEach((weight, key) => {
    if (weight === 0) return;
    for (let j = 0; j < sums.length; j++) sums[j] += weight * v[key][j];
  });
  return Float32Array.from(sums);
}

/**
 * @param {Model} model
 * @param {Rows} normed
 * @param {{c_attn: LinearMap, c_proj: LinearMap}} weights
 * @param {{k: Rows, v: Rows}[]} cache of the layer: grows in place
 */
function attention(model, normed, weights, cache) {
  const { nHead, nEmbd, dHead, causal } = model;
  const qkv = normed.map((x) => linear(x, weights.c_attn)); // [n_seq, 3 n_embd]
  const heads = cache.map((known, h) => {
    const [q, k, v] = [0, 1, 2].map((third) => {
      const first = third * nEmbd + h * dHead;
      return qkv.map((row) => row.subarray(first, first + dHead));
    });
    known.k.push(...k);
    known.v.push(...v);
    return attend(q, known.k, known.v, causal);
  });
  const merged = normed.map((_, i) => {
    const z = new Float32Array(nHead * dHead);
    heads.forEach((head, h) => z.set(head.z[i], h * dHead));
    return z;
  });
  return { normed, heads, out: merged.map((z) => linear(z, weights.c_proj)) };
}

/**
 * @param {Model} model
 * @param {Rows} normed
 * @param {{c_fc: LinearMap, c_proj: LinearMap}} weights
 * @returns {MlpPass}
 */
function mlp(model, normed, weights) {
  const activation = model.activation === 'relu' ? relu : gelu;
  const pre = normed.map((x) => linear(x, weights.c_fc)); // [n_seq, n_inner]
  const post = pre.map((x) => x.map(activation));
  return { normed, pre, post, out: post.map((x) => linear(x, weights.c_proj)) };
}

/**
 * The pass of the positions after those in the cache.
 * @param {Model} model
 * @param {number[]} ids
 * @param {Cache} cache grows in place
 */
function pass(model, ids, cache) {
  const { wte, wpe, lm_head, ln_f } = model.weights;
  const embed = ids.map((id, i) => plus(wte.row(id), wpe.row(cache.seen + i)));
  let x = embed; // the residual stream [n_seq, n_embd]
  const blocks = model.weights.blocks.map((block, layer) => {
    const residPre = x;
    const normed = (/** @type {Norm | null} */ norm) => x.map((row) => layerNorm(row, norm, model.epsilon));
    const attn = block.attn && attention(model, normed(block.ln_1), block.attn, cache.layers[layer]);
    if (attn) x = x.map((row, i) => plus(row, attn.out[i]));
    const residMid = x;
    const feed = block.mlp && mlp(model, normed(block.ln_2), block.mlp);
    if (feed) x = x.map((row, i) => plus(row, feed.out[i]));
    return { residPre, attn, residMid, mlp: feed, residPost: x };
  });
  cache.seen += ids.length;
  const final = x.map((row) => layerNorm(row, ln_f, model.epsilon));
  const logits = final.map((row) => Float32Array.from(unembedded(row, lm_head ?? wte)));
  return { ids, embed, blocks, final, logits };
}

/** A cache of no positions. @param {Model} model @returns {Cache} */
export function emptyCache(model) {
  const heads = () => Array.from({ length: model.nHead }, () => ({ k: [], v: [] }));
  return { seen: 0, layers: model.weights.blocks.map(heads) };
}

/**
 * Every number of the pass over a context of at most n_ctx tokens.
 * @param {Model} model
 * @param {number[]} ids
 * @returns {Pass}
 */
export function forward(model, ids) {
  const found = pass(model, ids, emptyCache(model));
  const blocks = found.blocks.map((block, layer) => ({
    ...block,
    attn: block.attn && { ...block.attn, heads: block.attn.heads.map((head, h) => ({ ...head, written: headOutput(model, layer, h, head.z) })) },
  }));
  return { ...found, blocks };
}

/** What one head adds to the stream. @param {Model} model @param {number} layer @param {number} h @param {Rows} z */
function headOutput(model, layer, h, z) {
  const weights = model.weights.blocks[layer].attn;
  return z.map((row) => (weights ? Float32Array.from(times(row, weights.c_proj.w, h * model.dHead)) : row));
}

/**
 * The logits after one more token. Of a model that is causal: else earlier positions change.
 * @param {Model} model
 * @param {Cache} cache emptyCache(model) at first; grows in place
 * @param {number} id
 * @returns {{cache: Cache, logits: Float32Array}}
 */
export function next(model, cache, id) {
  return { cache, logits: lastLogits(model, [id], cache) };
}

/** @param {Model} model @param {number[]} ids @param {Cache} cache */
export function lastLogits(model, ids, cache) {
  const found = pass(model, ids, cache);
  if (!isFinitePass(found)) throw new RangeError(NOT_FINITE);
  return found.logits[found.logits.length - 1];
}

export const NOT_FINITE = 'the numbers are not finite: the weights are too large for float32';

/**
 * False where a number of the pass is too large for float32: in NumPy all that is computed with it,
 * also by weights that are 0, is then no number. Scores may be -Infinity.
 * @param {{ids: number[], blocks: Judged[], final: Rows, logits: Rows}} found
 */
export function isFinitePass({ ids, blocks, final, logits }) {
  const whole = (/** @type {Rows} */ rows) => rows.slice(-ids.length).every((row) => row.every(Number.isFinite));
  const ofBlocks = blocks.flatMap(({ residMid, residPost, attn, mlp: feed }) =>
    [residMid, residPost, ...(attn?.heads ?? []).flatMap(({ v, z }) => [v, z]), ...(feed ? [feed.post] : [])]);
  return [...ofBlocks, final, logits].every(whole);
}
