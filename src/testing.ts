/** `millrace/testing`: what the author of a driver, or of a domain, tests with. */
export { checkLaw, storageLaws } from './storage/laws/laws.ts';
export { LawBroken, type StorageHarness, type StorageLaw } from './storage/laws/law.ts';
export { givenFor, GivenBroken, type Given, type When } from './sourcing/given.ts';
