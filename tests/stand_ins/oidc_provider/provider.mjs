// A certified OpenID provider with the people that a test wants: node provider.mjs <settings as JSON>.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const settings = JSON.parse(process.argv[2]);
let people = settings.people;

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const issuer = `http://localhost:${settings.port}`;
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: settings.client_id,
      client_secret: settings.client_secret,
      redirect_uris: settings.redirect_uris,
      post_logout_redirect_uris: settings.post_logout_redirect_uris,
      response_types: ["code"],
      grant_types: ["authorization_code"],
      token_endpoint_auth_method: "client_secret_basic",
    },
  ],
  findAccount: async (_context, id) =>
    people[id] && { accountId: id, claims: async () => ({ sub: id, ...people[id] }) },
  claims: {
    openid: ["sub"],
    email: ["email", "email_verified"],
    profile: ["given_name", "family_name", "picture"],
    groups: ["groups"],
  },
  conformIdTokenClaims: settings.claims_in_token === false,
  features: { devInteractions: { enabled: true } },
  pkce: { required: () => true },
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: "one" }] },
  cookies: { keys: ["a key for the cookies of this test"] },
});
provider.on("server_error", (_context, error) => console.error(error));

const answer = provider.callback();
createServer(async (request, response) => {
  if (request.method === "PUT" && request.url === "/-/people") {
    let body = "";
    for await (const piece of request) body += piece;
    people = JSON.parse(body);
    response.writeHead(204).end();
    return;
  }
  answer(request, response);
}).listen(settings.port, "127.0.0.1", () => console.log("listening"));
