// npm's oidc-provider, as Pro Santé Connect is set up: code with PKCE, access tokens that say how their owner signed in.
// Arguments: port, name of the signature key, "jwt" or "opaque". Whoever signs in is who they say; the level is asked for with acr_values.
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const [port, kid, format] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const AUDIENCE = "https://mail.alpha.example";

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const key = { ...privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" };

const provider = new Provider(issuer, {
  jwks: { keys: [key] },
  acrValues: ["eidas1", "low"],
  scopes: ["openid", "scope_all"],
  pkce: { required: () => true },
  cookies: { keys: ["a test's"] },
  ttl: { AccessToken: Number(process.env.LIVES ?? 120) },
  clients: [
    {
      client_id: "logiciel",
      token_endpoint_auth_method: "none",
      redirect_uris: ["http://127.0.0.1/retour"],
      grant_types: ["authorization_code"],
      response_types: ["code"],
      application_type: "native",
    },
    {
      client_id: "operateur",
      client_secret: "un secret de test",
      token_endpoint_auth_method: "client_secret_post",
      redirect_uris: [],
      grant_types: [],
      response_types: [],
    },
  ],
  findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  extraTokenClaims: (_ctx, token) => ({
    preferred_username: token.accountId,
    acr: token.scope.includes("scope_all") ? "eidas1" : "low",
  }),
  features: {
    devInteractions: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => AUDIENCE,
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, resource) => ({ scope: "openid scope_all", audience: resource, accessTokenFormat: format }),
    },
  },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
