/** Characters in the name or value of a certificate's tag. */
export const maxTagLength = 512;
