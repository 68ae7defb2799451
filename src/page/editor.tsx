// Program, kernel and knobs, as text that runs while it is typed.
import { useEffect, useState } from 'preact/hooks';
import type { Catalogue } from '../engine/catalogue.js';
import type { KernelSpec } from '../engine/types.js';
import type { Boot, Choice } from './boot.js';
import { parseKnobs, printKnobs } from './state.js';

interface Props {
  readonly boot: Boot;
  readonly catalogue: Catalogue;
  readonly program: string;
  readonly spec: KernelSpec;
  readonly error: string | undefined;
  readonly onChange: (program: string, spec: KernelSpec) => void;
}

/** Breaks where ops end, for people; the parser takes both. */
function options(choices: readonly Choice[], kind: string) {
  return choices.map(({ name }, i) => (
    <option key={name} value={`${kind}${i}`}>
      {name}
    </option>
  ));
}

export function Editor({ boot, catalogue, program, spec, error, onChange }: Props) {
  const [knobs, setKnobs] = useState(printKnobs(spec));
  const outside = printKnobs(spec);
  // Someone else changed the knobs: what stands here means the same or is out of date.
  useEffect(() => setKnobs((mine) => (printKnobs(parseKnobs(mine)) === outside ? mine : outside)), [outside]);
  const choose = (value: string) => {
    const from = value.startsWith('f') ? boot.findings : boot.gallery;
    const choice = from[Number(value.slice(1))];
    if (choice) onChange(choice.program, choice.spec);
  };
  const all = [...boot.findings.map((c, i) => ({ c, i: `f${i}` })), ...boot.gallery.map((c, i) => ({ c, i: `g${i}` }))];
  const chosen = all.find(({ c }) => c.program === program && c.spec.kernel === spec.kernel);
  const info = catalogue.kernels.find(({ name }) => name === spec.kernel);
  return (
    <section class="editor" aria-label="Program and kernel">
      <label class="whole">
        <span>Program</span>
        <textarea
          id="program"
          rows={2}
          spellcheck={false}
          autocapitalize="off"
          value={program}
          aria-invalid={error !== undefined}
          aria-describedby="error"
          onInput={(event) => onChange(event.currentTarget.value, spec)}
        />
      </label>
      <label>
        <span>Kernel</span>
        <select
          id="kernel"
          value={spec.kernel}
          onChange={(event) => onChange(program, { ...spec, kernel: event.currentTarget.value })}
        >
          {catalogue.kernels.map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>Knobs</span>
        <input
          id="knobs"
          list="knob-names"
          spellcheck={false}
          autocapitalize="off"
          placeholder="+knob -knob"
          value={knobs}
          onInput={(event) => {
            setKnobs(event.currentTarget.value);
            onChange(program, { kernel: spec.kernel, ...parseKnobs(event.currentTarget.value) });
          }}
        />
        <datalist id="knob-names">
          {catalogue.knobs.map(({ name }) => (
            <option key={name} value={`+${name}`} />
          ))}
        </datalist>
      </label>
      <label>
        <span>{boot.findings.length > 0 ? 'Findings and classics' : 'Classics'}</span>
        <select id="choices" value={chosen?.i ?? ''} onChange={(event) => choose(event.currentTarget.value)}>
          <option value="">Choose a program</option>
          {boot.findings.length > 0 && <optgroup label="Findings">{options(boot.findings, 'f')}</optgroup>}
          <optgroup label="Classics">{options(boot.gallery, 'g')}</optgroup>
        </select>
      </label>
      <p id="error" class="error" role="alert">
        {error}
      </p>
      <p class="note">{chosen?.c.note || info?.doc}</p>
    </section>
  );
}
