/** Shows the models of the page. A placeholder: what people see is not made yet. */
import { loadModels } from './unpack.js';
import { forward, argmax } from './gpt2.js';

const models = await loadModels(/** @type {HTMLElement} */ (document.getElementById('payload')).textContent ?? '');
const list = document.createElement('ul');
for (const model of models) {
  const item = document.createElement('li');
  const { logits } = forward(model, [0]);
  item.textContent = `${model.name}: after ${model.tokens[0]} comes ${model.tokens[argmax(logits[0])]}`;
  list.append(item);
}
document.body.append(list);
