/** What the supervisor tells a service. Credentials go over this channel, never through the environment or a file. */
export type ToService =
  | {
      readonly kind: "start";
      readonly port: number;
      readonly database: {
        readonly host: string;
        readonly port: number;
        readonly database: string;
        readonly user: string;
        readonly password: string;
      };
      readonly perSecond: number;
      /** The version of the credential, for its health endpoint to report. */
      readonly version: string;
      /** Answers its health endpoint badly, whatever its logins do: a release that does not bear the new credential. */
      readonly unhealthy: boolean;
    }
  | { readonly kind: "drain" }
  | { readonly kind: "stop" };

/** What a service tells: counts since its start, and each change between working and failing logins (`at`: real milliseconds). */
export type FromService =
  | { readonly kind: "listening" | "drained" }
  | { readonly kind: "count"; readonly made: number; readonly failed: number }
  | { readonly kind: "login"; readonly ok: boolean; readonly at: number };
