// Starts the page that watches: the address says what.
import { render } from 'preact';
import { CampaignPage } from './watch-campaign.js';
import { ListPage } from './watch-list.js';
import { takeToken } from './watch-token.js';

const place = document.getElementById('page');
if (!place) throw new Error('this file has no place for the page');
const token = takeToken();
// A link with another token may be opened in this very tab.
addEventListener('hashchange', () => {
  if (location.hash.startsWith('#token=')) location.reload();
});
const [, name] = /^\/campaign\/([^/]+)$/.exec(location.pathname) ?? [];
place.textContent = '';
render(name === undefined ? <ListPage /> : <CampaignPage name={decodeURIComponent(name)} token={token} />, place);
