// The client of the public HTTP cache tests, with a token on every request; see cachetests.py.
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const [directory, base, token, only] = process.argv.slice(2)
const load = name => import(pathToFileURL(join(directory, name)))
const { runTests, getResults } = await load('client/runner.mjs')
const { default: suites } = await load('tests/index.mjs')
const { default: surrogate } = await load('tests/surrogate-control.mjs')
const { default: fetch } = await load('../node-fetch/lib/index.mjs')

const authorized = (url, init = {}) => {
  const headers = (init.headers || []).filter(([name]) => name.toLowerCase() !== 'authorization')
  return fetch(url, { ...init, headers: [...headers, ['Authorization', `Bearer ${token}`]] })
}
// RFC 9213 took the place of Surrogate-Control: the same tests, of the field that is a standard. It has no targets.
surrogate.tests.forEach(test => test.requests.forEach(request => {
  for (const field of request.response_headers || []) {
    if (field[0] !== 'Surrogate-Control') continue
    field[0] = 'CDN-Cache-Control'
    field[1] = field[1].replace(';CAPABILITY_TARGET', '')
  }
}))
const all = [...suites, surrogate]
// RFC 9111 section 3.5: an answer to a request with Authorization is stored only with permission. The tests were made
// without: each answer says `public` here, but where that is what is tested.
const permit = request => {
  const fields = request.response_headers || []
  const targeted = fields.some(([name]) => name === 'CDN-Cache-Control')
  request.response_headers = [...fields, [targeted ? 'CDN-Cache-Control' : 'Cache-Control', 'public']]
}
const permitted = (suite, test) => suite.id !== 'auth' && !/not_cached|Cache-Control/.test(test.id)
all.forEach(suite => suite.tests.filter(test => permitted(suite, test)).forEach(test => test.requests.forEach(permit)))
const wanted = all.map(suite => ({ ...suite, tests: suite.tests.filter(test => !only || test.id === only) }))
if (only) wanted.forEach(suite => suite.tests.forEach(test => { test.dump = true }))
await runTests(wanted, authorized, false, base, 25)
const results = getResults()
const kinds = {}
all.forEach(suite => suite.tests.forEach(test => {
  if (test.id in results) kinds[test.id] = [test.kind || 'required', suite.id, test.name, results[test.id]]
}))
console.log(JSON.stringify(kinds))
