/** The flags that are about S3 alone. */

export interface S3Flags {
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
  /** Whether the bucket stands in the path; `undefined`: wherever an endpoint is given. */
  readonly pathStyle?: boolean | undefined;
  /** A PEM file of the authorities to trust. */
  readonly caFile?: string | undefined;
  /** Sends an unencrypted repository over `http://`, too. */
  readonly allowHttp?: boolean | undefined;
}

export const S3_FLAGS = [
  {
    key: "endpoint",
    flag: "--endpoint",
    value: "<URL>",
    text:
      "with s3: https:// and the server, where it is not Amazon's; else AWS_ENDPOINT_URL or the profile's",
  },
  { key: "region", flag: "--region", value: "<NAME>", text: "with s3: region of the bucket" },
  {
    key: "profile",
    flag: "--profile",
    value: "<NAME>",
    text: "with s3: profile in the shared configuration of the AWS tools",
  },
  {
    key: "allowHttp",
    flag: "--allow-http",
    text: "with s3: send an unencrypted repository over http:// to another machine, for all to read",
  },
  {
    key: "pathStyle",
    flag: "--path-style",
    text: "with s3: name the bucket in the path; so wherever an endpoint is given",
  },
  {
    key: "caFile",
    flag: "--ca-file",
    value: "<PEM>",
    text: "with s3: certificates of the authorities to trust instead of the usual ones",
  },
] as const satisfies readonly { key: keyof S3Flags; flag: string; value?: string; text: string }[];
