// Starts the page with what its file holds: data in one script element, the module in another.
import { render } from 'preact';
import { Engine } from '../engine/engine.js';
import { engineModuleLater } from '../engine/module.js';
import type { Boot } from './boot.js';
import { held, heldModule } from './held.js';
import { Page } from './page.js';

const place = document.getElementById('page');
if (!place) throw new Error('this file has no place for the page');
try {
  const boot: Boot = JSON.parse(held('boot'));
  const engine = new Engine(await engineModuleLater(heldModule()));
  place.textContent = '';
  render(<Page engine={engine} boot={boot} />, place);
} catch (error) {
  place.textContent = `This page does not work here: ${error instanceof Error ? error.message : error}`;
  throw error;
}
