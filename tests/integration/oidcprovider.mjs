// An OpenID provider (npm: oidc-provider, certified by the OpenID Foundation) for tests; the first argument is a file
// {home, callback, device, post_logout, backchannel, cli, people: {login: claims}}. It says its issuer on stdout once it serves.
// Who has a file disabled-LOGIN in its directory is nobody any more.
import { createServer } from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const asked = JSON.parse(readFileSync(process.argv[2]));
const home = pathToFileURL(asked.home + '/node_modules/oidc-provider/lib/index.js');
const { default: Provider } = await import(home);

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'llmproxy', client_secret: 'a-secret:of/the+client%', redirect_uris: [asked.callback, asked.device],
        post_logout_redirect_uris: [asked.post_logout], backchannel_logout_uri: asked.backchannel,
        backchannel_logout_session_required: true, grant_types: ['authorization_code', 'refresh_token'],
      },
      { client_id: 'cli', token_endpoint_auth_method: 'none', redirect_uris: [asked.cli] },
    ],
    cookies: { keys: ['tests'] },
    pkce: { required: () => true },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
    scopes: ['openid', 'email', 'profile', 'groups'],
    findAccount: (ctx, id) => {
      const person = existsSync(`disabled-${id}`) ? undefined : asked.people[id];
      return person && { accountId: id, claims: () => ({ sub: id, ...person }) };
    },
    // Each is good once; who shows one twice ends the sign-in.
    rotateRefreshToken: true,
    issueRefreshToken: (ctx, client) => client.clientId === 'llmproxy',
    // Nobody is asked to consent.
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope('openid email profile groups');
      grant.addResourceScope('urn:llmproxy', 'use');
      await grant.save();
      return grant;
    },
    extraTokenClaims: (ctx, token) => (token.accountId ? asked.people[token.accountId] : undefined),
    ttl: { AccessToken: 600, IdToken: 600, Session: 3600, Interaction: 600, Grant: 3600, AuthorizationCode: 60 },
    features: {
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({ scope: 'use', audience: 'llmproxy-api', accessTokenTTL: 600, accessTokenFormat: 'jwt' }),
      },
    },
    // Back-channel logout goes to this machine, which its own dispatcher would not allow.
    fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, { ...options, signal: AbortSignal.timeout(10000) }),
  });
  provider.on('server_error', (ctx, error) => console.error(error));
  provider.on('backchannel.error', (ctx, error) => console.error(error));
  server.on('request', provider.callback());
  console.log(`issuer ${issuer} serves`);
});
