/** Requests of one whole run: a few on a laptop, 100,000 in CI. */
const total = Number(process.env["PINION_FUZZ_REQUESTS"] ?? (process.env["CI"] === "true" ? 100_000 : 5000));

/** Where the pseudo-random requests begin; the same number makes the same ones. */
export const seed = Number(process.env["PINION_FUZZ_SEED"] ?? 20_260_115);

/** Seeds that found something once, before it was mended. Each topic sends a few requests of each of them again. */
export const pastSeeds: readonly number[] = [777];

/** How many requests a topic has, given its part of the whole in percent. */
export const share = (percent: number): number => Math.ceil((total * percent) / 100);

/** Long enough for 100,000 requests on a busy machine. */
export const patience = 900_000;
