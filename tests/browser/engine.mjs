// Runs the model of a page in node: reads {"parts", "payload", "jobs"} as JSON from stdin, writes the
// list of answers to stdout. Each job is [what to do, its arguments].
import { readFileSync } from 'node:fs';

const { parts, payload, jobs } = JSON.parse(readFileSync(0, 'utf8'));
const { loadModels } = await import(`${parts}/unpack.js`);
const gpt2 = await import(`${parts}/gpt2.js`);
const decoding = await import(`${parts}/decoding.js`);
const reasons = await import(`${parts}/reasons.js`);
const models = await loadModels(payload);
const [model] = models;
const rows = (list) => list.map((row) => [...row]);

function traced(ids) {
  const pass = gpt2.forward(model, ids);
  const head = ({ q, k, scores, pattern, v, z, written }) => ({
    q: rows(q), k: rows(k), scores: rows(scores), pattern: rows(pattern), v: rows(v), z: rows(z), written: rows(written),
  });
  const blocks = pass.blocks.map(({ residPre, attn, residMid, mlp, residPost }) => ({
    residPre: rows(residPre),
    heads: attn ? attn.heads.map(head) : [],
    residMid: rows(residMid),
    pre: mlp ? rows(mlp.pre) : null,
    post: mlp ? rows(mlp.post) : null,
    residPost: rows(residPost),
  }));
  return { embed: rows(pass.embed), blocks, final: rows(pass.final), logits: rows(pass.logits) };
}

function scoreParts(ids, layer, head, q, k) {
  const pass = gpt2.forward(model, ids);
  const score = pass.blocks[layer].attn.heads[head].scores[q][k];
  return { score, parts: reasons.explainScore(model, pass, layer, head, q, k) };
}

function stepped(ids) {
  const cache = gpt2.emptyCache(model);
  return ids.map((id) => [...gpt2.next(model, cache, id).logits]);
}

const does = {
  logits: (ids) => rows(gpt2.forward(model, ids).logits),
  last: (ids) => [...gpt2.forward(model, ids).logits.at(-1)],
  trace: traced,
  stepped,
  scoreParts,
  contributions: (ids, position) => {
    const found = reasons.contributions(model, gpt2.forward(model, ids), position);
    return found.map(({ rule, logits }) => ({ rule: model.rules[rule], logits: [...logits] }));
  },
  run: (ids, n) => decoding.greedyRun(model, ids, n ?? undefined),
  answer: (ids, n) => decoding.answer(model, ids, n ?? undefined),
  finite: (ids) => gpt2.isFinitePass(gpt2.forward(model, ids)),
  encode: (text) => model.encode(text),
  decode: (ids) => model.decode(ids),
  room: (ids) => model.room(ids),
  asked: (ids) => model.asked(ids),
  parts: () => model.parts(),
  cells: (part) => model.cells(part),
  cellsOf: (rule) => model.cellsOf(rule),
  rules: () => model.rules,
  weights: () => Object.fromEntries([...model.matrices].map(([name, { values }]) => [name, [...values]])),
  setCell: (...args) => model.setCell(...args),
  switchRule: (path, text, on) => {
    model.switchRule(model.rules.findIndex((rule) => rule.path === path && rule.text === text), on);
  },
  undo: () => model.undo(),
  redo: () => model.redo(),
  reset: () => model.reset(),
  read: (name) => models.map((one) => one[name]),
  seconds: (ids, n) => {
    const start = performance.now();
    const found = decoding.greedyRun(model, ids, n);
    return (performance.now() - start) / 1000 / found.length;
  },
};
process.stdout.write(JSON.stringify(jobs.map(([what, ...args]) => does[what](...args) ?? null)));
