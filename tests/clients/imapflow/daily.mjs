// The calls that programs make with imapflow, and what it makes of the answers. Started by test_imapflow.py, which gives in the
// environment where the server is (HOST, PORT, CA), as whom to sign in (LOGIN, PASSWORD) and has filled INBOX with 60 messages.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ImapFlow } from 'imapflow'

const { HOST, PORT, CA, LOGIN, PASSWORD } = process.env

async function asClient(work, options = {}) {
  const client = new ImapFlow({
    host: HOST, port: Number(PORT), secure: true, servername: 'mail.alpha.example', tls: { ca: readFileSync(CA) },
    auth: { user: LOGIN, pass: PASSWORD }, logger: false, qresync: true, ...options,
  })
  try {
    await client.connect()
    await work(client)
    await client.logout()
  } finally {
    client.close()
  }
}

async function collected(messages) {
  const found = []
  for await (const message of messages) found.push(message)
  return found
}

const message = (subject, text = 'Bonjour.') => `From: a@b.example\r\nSubject: ${subject}\r\n\r\n${text}\r\n`

test('what the server has is used', () => asClient(async (client) => {
  for (const name of ['IDLE', 'MOVE', 'UIDPLUS', 'LIST-STATUS', 'SPECIAL-USE', 'OBJECTID']) assert(client.capabilities.has(name), name)
  assert(client.enabled.has('CONDSTORE'))
  assert(client.enabled.has('QRESYNC'))
  assert.equal(client.serverInfo.name.length > 0, true)
  assert.equal(client.namespace.delimiter, '/')
}))

test('folders', () => asClient(async (client) => {
  const created = await client.mailboxCreate(['Études', '2026'])
  assert.deepEqual([created.path, created.created], ['Études/2026', true])
  assert.ok(created.mailboxId)
  assert.equal((await client.mailboxCreate('Études/2026')).created, false)
  assert.equal((await client.mailboxRename('Études/2026', 'Études/2027')).newPath, 'Études/2027')
  const listed = await client.list({ statusQuery: { messages: true, unseen: true, uidNext: true, highestModseq: true, size: true } })
  assert.equal(listed.find((folder) => folder.specialUse === '\\Sent').path, 'Envoyés')
  assert(listed.filter((folder) => !folder.flags.has('\\Noselect')).every((folder) => folder.status.highestModseq))
  assert.equal(listed.find((folder) => folder.path === 'INBOX').status.messages, 30)
  assert.equal((await client.status('INBOX', { messages: true, size: true })).messages, 30)
  await client.mailboxUnsubscribe('Études/2027')
  assert(!(await client.list()).find((folder) => folder.path === 'Études/2027').subscribed)
  await client.mailboxDelete('Études/2027')
  const quota = await client.getQuota('INBOX')
  assert(quota.storage.usage > 0 && quota.storage.limit > quota.storage.usage)
}))

test('fetch', () => asClient(async (client) => {
  const inbox = await client.mailboxOpen('INBOX', { readOnly: true })
  assert.equal(inbox.exists, 30)
  const query = { uid: true, flags: true, envelope: true, bodyStructure: true, size: true, internalDate: true, headers: ['subject'], threadId: true }
  const all = await collected(client.fetch('1:*', query))
  assert.deepEqual(all.map((one) => one.uid), Array.from({ length: 30 }, (_, n) => n + 1))
  assert(all.every((one) => one.emailId && one.threadId && one.modseq && one.size > 200))
  assert(all.every((one) => one.envelope.from[0].name === 'Dr Hélène Caron'))
  assert(all.every((one) => String(one.headers).startsWith('Subject: Compte rendu')))
  const attached = all.find((one) => one.bodyStructure.type === 'multipart/mixed')
  assert.equal(attached.bodyStructure.childNodes[1].dispositionParameters.filename, 'résultats.pdf')
  const { meta, content } = await client.download(attached.uid, '2', { uid: true })
  assert.deepEqual([meta.contentType, meta.filename], ['application/pdf', 'résultats.pdf'])
  let octets = 0
  for await (const piece of content) octets += piece.length
  assert(octets >= 10)
  const whole = await client.fetchOne('*', { source: true })
  assert.equal(whole.source.length, all.at(-1).size)
  const part = await client.fetchOne('*', { source: { start: 10, maxLength: 20 } })
  assert.deepEqual(part.source, whole.source.subarray(10, 30))
}))

test('search', () => asClient(async (client) => {
  await client.append('Archives', message('=?utf-8?q?=C5=92d=C3=A8me?=', 'Potassium élevé'), ['\\Flagged', 'a-revoir'], new Date('2020-02-03T04:05:06Z'))
  const { uidNext } = await client.mailboxOpen('Archives')
  const wanted = [uidNext - 1]
  for (const query of [
    { subject: 'œdème' }, { text: 'POTASSIUM élevé', seen: false }, { keyword: 'a-revoir' }, { before: '2021-01-01' },
    { or: [{ subject: 'œdème' }, { from: 'nobody' }] }, { header: { subject: 'œdème' } }, { not: { subject: 'Compte rendu' } },
  ]) assert.deepEqual(await client.search(query, { uid: true }), wanted, JSON.stringify(query))
  assert.deepEqual(await client.search({ subject: 'nothing like it' }), [])
}))

test('flags, copy, move, delete', () => asClient(async (client) => {
  await client.mailboxCreate('Tri')
  const { uid } = await client.append('Tri', message('à trier'))
  const lock = await client.getMailboxLock('Tri')
  try {
    await client.messageFlagsAdd({ uid }, ['\\Seen', '$Forwarded'])
    assert.deepEqual((await client.fetchOne(uid, { flags: true }, { uid: true })).flags, new Set(['\\Seen', '$Forwarded']))
    await client.messageFlagsRemove({ uid }, ['\\Seen'])
    await client.messageFlagsSet({ uid }, ['\\Flagged'])
    assert.deepEqual((await client.fetchOne(uid, { flags: true }, { uid: true })).flags, new Set(['\\Flagged']))
    const copied = await client.messageCopy({ uid }, 'Corbeille')
    assert.equal(copied.uidMap.size, 1)
    const moved = await client.messageMove({ uid }, 'Corbeille')
    assert.equal(moved.uidMap.get(uid), copied.uidMap.get(uid) + 1)
    assert.equal(client.mailbox.exists, 0)
  } finally {
    lock.release()
  }
  await client.mailboxOpen('Corbeille')
  assert.equal(await client.messageDelete('1:*'), true)
  assert.equal(client.mailbox.exists, 0)
}, { qresync: false })) // imapflow does not count what vanishes

test('who waits is told at once: EXISTS, FETCH, VANISHED', () => asClient((writer) => asClient(async (reader) => {
  await writer.mailboxCreate('Attente')
  await reader.mailboxOpen('Attente')
  const waiting = reader.idle()
  let heard = once(reader, 'exists')
  const { uid } = await writer.append('Attente', message('nouveau'))
  assert.equal((await heard)[0].count, 1)
  await writer.mailboxOpen('Attente')
  heard = once(reader, 'flags')
  await writer.messageFlagsAdd({ uid }, ['\\Flagged'])
  const [changed] = await heard
  assert(changed.flags.has('\\Flagged') && changed.uid === uid && changed.modseq > 0n)
  heard = once(reader, 'expunge')
  await writer.messageDelete({ uid })
  const [gone] = await heard
  assert.deepEqual([gone.uid, gone.vanished, gone.earlier], [uid, true, false])
  await reader.noop()
  await waiting
})))

test('what changed since: CONDSTORE and QRESYNC', async () => {
  let before
  await asClient(async (client) => {
    await client.mailboxCreate('Suivi')
    for (const subject of ['un', 'deux', 'trois', 'quatre']) await client.append('Suivi', message(subject))
    before = await client.mailboxOpen('Suivi')
  })
  await asClient(async (client) => {
    await client.mailboxOpen('Suivi')
    await client.messageFlagsAdd({ uid: '2' }, ['\\Seen'])
    await client.messageDelete({ uid: '3' })
    await client.append('Suivi', message('cinq'))
    const changed = await collected(client.fetch('1:*', { flags: true }, { changedSince: before.highestModseq }))
    assert.deepEqual(changed.map((one) => one.uid), [2, 5])
  })
  await asClient(async (client) => {
    const vanished = [], flags = []
    client.on('expunge', (event) => vanished.push([event.uid, event.earlier]))
    client.on('flags', (event) => flags.push([event.uid, [...event.flags]]))
    const after = await client.mailboxOpen('Suivi', { changedSince: before.highestModseq, uidValidity: before.uidValidity })
    assert.equal(after.qresync, true)
    assert.deepEqual(vanished, [[3, true]])
    assert.deepEqual(flags, [[2, ['\\Seen']], [5, []]])
  })
})

test('a wrong password is said', async () => {
  await assert.rejects(asClient(() => assert.fail(), { auth: { user: LOGIN, pass: 'faux' } }), (error) => {
    assert.deepEqual([error.authenticationFailed, error.serverResponseCode], [true, 'AUTHENTICATIONFAILED'])
    return true
  })
})
