// The whole page: the overview, or one program to step through, as the address says.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Engine } from '../engine/engine.js';
import { App } from './app.js';
import type { Boot } from './boot.js';
import { Overview } from './overview.js';
import { fromFragment } from './state.js';

interface Props {
  readonly engine: Engine;
  readonly boot: Boot;
}

/** An address that names no program is the overview's. */
function useIsOverview({ story }: Boot): boolean {
  const named = () => story === undefined || fromFragment(location.hash) !== undefined;
  const [stepping, setStepping] = useState(named);
  useEffect(() => {
    const follow = () => setStepping(named());
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, [story]);
  return !stepping;
}

/** A finding is named in several places. */
function linksTo(hash: string): HTMLElement[] {
  return [...document.links].filter((link) => link.hash === hash);
}

/** A view begins at its top; the overview comes back as it was left, at the link that led away from it. */
function usePlace(isOverview: boolean): void {
  const left = useRef<{ readonly top: number; readonly hash: string; readonly nth: number } | undefined>(undefined);
  const shown = useRef(isOverview);
  useEffect(() => {
    const leave = (event: MouseEvent) => {
      const link = event.target instanceof Element ? event.target.closest('a') : null;
      if (shown.current && link?.hash)
        left.current = { top: scrollY, hash: link.hash, nth: linksTo(link.hash).indexOf(link) };
    };
    document.addEventListener('click', leave);
    return () => document.removeEventListener('click', leave);
  }, []);
  useLayoutEffect(() => {
    if (shown.current === isOverview) return;
    shown.current = isOverview;
    const back = isOverview ? left.current : undefined;
    const link = back && linksTo(back.hash)[back.nth];
    const heading = document.querySelector('h1');
    if (heading) heading.tabIndex = -1;
    (link ?? heading)?.focus({ preventScroll: true });
    scrollTo(0, back?.top ?? 0);
  }, [isOverview]);
}

export function Page({ engine, boot }: Props) {
  const isOverview = useIsOverview(boot);
  usePlace(isOverview);
  return isOverview && boot.story ? <Overview story={boot.story} /> : <App engine={engine} boot={boot} />;
}
