// The page: reads the models, gives each its panels, and draws them anew after every change, what is typed about first.

import { button, fill, find, name } from './dom.js';
import { attentionPanel } from './panel_attention.js';
import { editsPanel } from './panel_edits.js';
import { givenPanel } from './panel_given.js';
import { matricesPanel } from './panel_matrices.js';
import { nextPanel } from './panel_next.js';
import { rulesPanel } from './panel_rules.js';
import { runPanel } from './panel_run.js';
import { savePanel } from './panel_save.js';
import { stepsPanel } from './panel_steps.js';
import { streamPanel } from './panel_stream.js';
import { textPanel } from './panel_text.js';
import { tourPanel } from './panel_tour.js';
import { verdictPanel } from './panel_verdict.js';
import { readHash, writeHash } from './permalink.js';
import { View } from './state.js';
import { loadModels } from './unpack.js';

/**
 * The elements of one model on the page, from the template; its panels are drawn after each change of the view.
 * @param {View} view
 * @param {(text: string) => void} write takes the text of all models
 */
function show(view, write) {
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById('view'));
  const root = find(/** @type {DocumentFragment} */ (template.content.cloneNode(true)), '.view');
  fill(find(root, '.name'), name(view.model.name));
  fill(find(root, '.about'), name(view.model.about));
  const part = (/** @type {string} */ selector) => find(root, selector);
  const first = [
    textPanel(view, part('.prompt'), write), nextPanel(view, part('.next')),
    editsPanel(view, part('.edits')), verdictPanel(view, part('.badge'), part('.verdict')),
  ];
  const later = [
    runPanel(view, part('.run')),
    panel(part('.tour'), tourPanel), panel(part('.steps'), stepsPanel), panel(part('.attention'), attentionPanel),
    panel(part('.given'), givenPanel), panel(part('.stream'), streamPanel), panel(part('.matrices'), matricesPanel),
    panel(part('.rules'), rulesPanel),
  ];
  const panels = /** @type {NodeListOf<HTMLDetailsElement>} */ (root.querySelectorAll('.panel:not([hidden])'));
  part('.jumps').append(...[...panels].flatMap((one) => [jump(one), ' \u00a0 ']));
  let waiting = 0;
  view.listeners.push(() => {
    for (const draw of first) draw();
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => setTimeout(() => {
      later.forEach((draw) => draw());
      performance.mark('drawn');
    }));
  });
  document.getElementById('models')?.append(root);

  /**
   * A panel that is drawn while it is open.
   * @param {HTMLElement} details
   * @param {(view: View, root: HTMLElement) => () => void} setUp
   */
  function panel(details, setUp) {
    const draw = setUp(view, details);
    savePanel(view, find(details, '.body'), details);
    const drawOpen = () => /** @type {HTMLDetailsElement} */ (details).open && draw();
    details.addEventListener('toggle', drawOpen);
    return drawOpen;
  }
}

/**
 * A button that opens a panel and goes there.
 * @param {HTMLDetailsElement} details
 */
function jump(details) {
  const summary = find(details, 'summary');
  return button(summary.textContent, () => {
    details.open = true;
    summary.focus();
    details.scrollIntoView();
  }, { class: 'link' });
}

/** Reads the models and shows them, with the text and the edits of the address, or a text to begin with. */
async function start() {
  const payload = document.getElementById('payload')?.textContent ?? '';
  const models = await loadModels(payload);
  const again = () => loadModels(payload);
  const views = models.map((model, i) => new View(i, model, async () => (await again())[i]));
  const write = (/** @type {string} */ text) => views.forEach((view) => view.write(text));
  const main = /** @type {HTMLElement} */ (document.getElementById('models'));
  for (const view of views) show(view, write);
  main.classList.toggle('pair', views.length > 1);
  const { text, at } = readHash(views);
  write(text ?? beginning(models[0]));
  for (const view of views) if (at >= 0 && at < view.ids.length) view.change({ at });
  let waiting = 0; // browsers allow no change of the address with every key
  for (const view of views) {
    view.listeners.push(() => {
      clearTimeout(waiting);
      waiting = setTimeout(() => writeHash(views), 150);
    });
  }
  main.removeAttribute('aria-busy');
}

/**
 * A text to begin with, if possible one that the claim speaks about: a prompt, tokens and some of them again, the context of
 * the least margin, or one token.
 * @param {import('./model.js').Model} model
 */
function beginning(model) {
  const { claim, verdict, tokens, nCtx } = model;
  const first = tokens.filter((token) => token !== claim.begin && token !== claim.stop).slice(0, 3);
  const ids = [...first, ...first].slice(0, Math.min(5, nCtx)).map((token) => tokens.indexOf(token));
  const texts = [claim.start, model.decode(ids), verdict?.leastMarginAt?.join(''), model.decode([0])];
  return texts.find((text) => text && isAsked(model, text)) ?? model.decode([0]);
}

/**
 * @param {import('./model.js').Model} model
 * @param {string} text
 */
function isAsked(model, text) {
  const found = model.encode(text);
  return 'ids' in found && model.asked(model.prompts.begun(found.ids)).asked;
}

await start();
