// Numbers as people read them.

const UNITS: readonly (readonly [number, string])[] = [
  [1e3, 'k'],
  [1e6, 'M'],
  [1e9, 'G'],
  [1e12, 'T'],
];

/** 1234567 as `1.23 M`. */
export function short(value: number): string {
  if (value < 10_000) return String(Math.round(value));
  // 999.6 k has three digits only as 1.00 M.
  const [factor, unit] = UNITS.find(([size]) => value < 999.5 * size) ?? UNITS.at(-1)!;
  return `${(value / factor).toPrecision(3)} ${unit}`;
}

/** `2 findings`, `1 finding` */
export function counted(count: number, noun: string): string {
  return `${short(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** `0.25 s`, `42 s`, `3 min 20 s`, `8 h 5 min`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${Number(seconds.toPrecision(2))} s`;
  const whole = Math.round(seconds);
  if (whole < 120) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  const parts = whole < 7200 ? [minutes, 'min', whole % 60, 's'] : [Math.floor(minutes / 60), 'h', minutes % 60, 'min'];
  const [most, unit, rest, lesser] = parts;
  return rest === 0 ? `${most} ${unit}` : `${most} ${unit} ${rest} ${lesser}`;
}
