// An OpenID provider on a free port of loopback: oidc-provider, which is certified and was not
// written here. Three clients may ask it for tokens: `secret` with client_secret_post, `ps256` and
// `rs256` with private_key_jwt. `/resource` tells whose token it was shown.
//
//     node server.mjs DIRECTORY
//
// The directory has `server.pem` and `server.key` for TLS, and `client.pem`, the certificate of the
// clients. It prints one line `ready URL`.

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";
import Provider from "oidc-provider";

const file = (name) => readFileSync(join(process.argv[2], name));
const key = new X509Certificate(file("client.pem")).publicKey.export({ format: "jwk" });
const client = (id, more) => ({
  client_id: id,
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
  scope: "read",
  ...more,
});
const signing = (id, algorithm) =>
  client(id, {
    token_endpoint_auth_method: "private_key_jwt",
    token_endpoint_auth_signing_alg: algorithm,
    jwks: { keys: [{ ...key, use: "sig" }] },
  });

const configuration = {
  clients: [
    client("secret", {
      token_endpoint_auth_method: "client_secret_post",
      client_secret: "s3cret/+& of the client",
    }),
    signing("ps256", "PS256"),
    signing("rs256", "RS256"),
  ],
  clientAuthMethods: ["client_secret_post", "private_key_jwt"],
  enabledJWA: { clientAuthSigningAlgValues: ["PS256", "RS256"] },
  features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
  scopes: ["read"],
};

const server = createServer({ cert: file("server.pem"), key: file("server.key") });
server.listen(0, "127.0.0.1", () => {
  const url = `https://127.0.0.1:${server.address().port}`;
  const provider = new Provider(url, configuration);
  provider.use(async (context, next) => {
    if (context.path !== "/resource") {
      return next();
    }
    const value = /^Bearer (\S+)$/.exec(context.get("authorization"))?.[1];
    const token = value && (await provider.ClientCredentials.find(value));
    context.status = token ? 200 : 401;
    context.body = token ? { client: token.clientId, scope: token.scope } : { error: "no token" };
  });
  server.on("request", provider.callback());
  console.log(`ready ${url}`);
});
