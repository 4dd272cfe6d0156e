// npm's oidc-provider, as Pro Santé Connect is set up: code with PKCE, access tokens that say how their owner signed in.
// Arguments: port, name of the signature key, "jwt" or "opaque". Whoever signs in is who they say; the level is asked for with acr_values.
import { generateKeyPairSync } from "node:crypto";
import Provider, { errors } from "oidc-provider";

const [port, kid, format] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const AUDIENCE = "https://mail.alpha.example";

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const key = { ...privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" };

const rung = []; // telephones that were told to ask their owner (CIBA); answered at /telephone

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
    {
      client_id: "compte",
      client_secret: "un autre secret: code",
      token_endpoint_auth_method: "client_secret_basic",
      redirect_uris: [],
      grant_types: ["urn:openid:params:grant-type:ciba"],
      response_types: [],
      backchannel_token_delivery_mode: "poll",
    },
    {
      client_id: "pages",
      client_secret: "encore un secret",
      token_endpoint_auth_method: "client_secret_basic",
      redirect_uris: ["http://127.0.0.1/mon-compte/connexion/pro-sante-connect/retour"],
      grant_types: ["authorization_code"],
      response_types: ["code"],
      application_type: "native", // at any port of this machine
    },
  ],
  claims: { openid: ["sub", "preferred_username", "acr"] },
  conformIdTokenClaims: false,
  findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub, preferred_username: sub }) }),
  extraTokenClaims: (_ctx, token) => ({
    preferred_username: token.accountId,
    acr: token.scope.includes("scope_all") ? "eidas1" : "low",
  }),
  features: {
    devInteractions: { enabled: true },
    ciba: {
      enabled: true,
      deliveryModes: ["poll"],
      processLoginHint: (_ctx, hint) => (hint.endsWith("0000") ? undefined : hint),
      validateBindingMessage: (_ctx, message) => {
        if (!/^\d\d$/.test(message)) throw new errors.InvalidBindingMessage("two figures");
      },
      validateRequestContext: () => {},
      verifyUserCode: () => {},
      triggerAuthenticationDevice: (_ctx, request, account) => {
        const { binding_message: message, acr_values: level, scope } = request.params;
        rung.push({ request: request.jti, person: account.accountId, message, level, scope });
      },
    },
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
const finished = provider.interactionFinished.bind(provider);
const level = process.env.LEVEL ?? "eidas1"; // how whoever signs in on a page did so
provider.interactionFinished = (req, res, result, options) =>
  finished(req, res, result.login ? { ...result, login: { ...result.login, acr: level } } : result, options);
let hasty = Number(process.env.HASTY ?? 0); // so many questions are told to slow down
provider.use(async (ctx, next) => {
  if (ctx.path === "/telephone" && ctx.method === "GET") {
    ctx.body = rung;
  } else if (ctx.path === "/telephone") {
    const { request, person, does, level } = ctx.query;
    const grant = new provider.Grant({ accountId: person, clientId: "compte" });
    grant.addOIDCScope("openid scope_all");
    const result = does === "confirms" ? await grant.save() : new errors.AccessDenied();
    await provider.backchannelResult(request, result, { acr: level, authTime: Math.floor(Date.now() / 1000) });
    ctx.body = "ok";
  } else if (ctx.path === "/token" && hasty-- > 0) {
    ctx.status = 400;
    ctx.body = { error: "slow_down" };
  } else {
    await next();
  }
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
