// Figures for people: three significant digits, the unit last.
const STEPS: readonly (readonly [number, string])[] = [
  [1e9, ' G'],
  [1e6, ' M'],
  [1e3, ' k'],
];

/** @returns e.g. `812 k`, `8.31 M`, `17`. */
export function formatCount(value: number): string {
  for (const [step, suffix] of STEPS) {
    if (Math.abs(value) >= step) return `${digits(value / step)}${suffix}`;
  }
  return digits(value);
}

/** @returns e.g. `812 k/s`. */
export function formatRate(perSecond: number): string {
  const text = formatCount(perSecond);
  return text.includes(' ') ? `${text}/s` : `${text} /s`;
}

/** @returns e.g. `1.6 µs`, `4.2 s`. */
export function formatNs(ns: number): string {
  if (ns >= 1e9) return `${digits(ns / 1e9)} s`;
  if (ns >= 1e6) return `${digits(ns / 1e6)} ms`;
  if (ns >= 1e3) return `${digits(ns / 1e3)} µs`;
  return `${digits(ns)} ns`;
}

/** @returns e.g. `2 min 5 s`, `0.3 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${digits(seconds, 2)} s`;
  const rounded = Math.round(seconds);
  const minutes = Math.floor(rounded / 60);
  return minutes > 0 ? `${minutes} min ${rounded % 60} s` : `${rounded} s`;
}

/** @returns e.g. `512 MiB`, `23.4 GiB`. */
export function formatBytes(bytes: number): string {
  return bytes >= 2 ** 30 ? `${digits(bytes / 2 ** 30)} GiB` : `${digits(bytes / 2 ** 20)} MiB`;
}

/** A ratio as a signed percentage, e.g. `−0.77 %`. */
export function formatPercent(ratio: number): string {
  return `${signed(ratio)} %`;
}

/** The same without its unit, for the ends of a range. */
export function signed(ratio: number): string {
  const percent = Math.abs(ratio) * 100;
  const text = percent < 1 ? String(Number(percent.toFixed(2))) : digits(percent);
  if (Number(text) === 0) return '±0';
  return (ratio < 0 ? '−' : '+') + text;
}

function digits(value: number, significant = 3): string {
  if (!Number.isFinite(value)) return '–';
  const text = Number(value.toPrecision(significant));
  // 999.6 rounds to 1000: four digits are right there.
  return String(text);
}
