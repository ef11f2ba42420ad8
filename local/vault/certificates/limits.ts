/** Characters in the name or value of a certificate's tag. */
export const maxTagLength = 512;
/** Months that a certificate can be valid. */
export const maxMonths = 1200;
