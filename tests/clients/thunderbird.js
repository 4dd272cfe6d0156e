// What a person does with Thunderbird, done in its own window by thunderbird.py: commands and fields, not its inner parts.
// Each function is asked for by its name; a wait that ends in vain says what it waited for.
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const sleep = milliseconds => new Promise(done => setTimeout(done, milliseconds));
async function until(what, why, seconds = 50) {
  for (const end = Date.now() + 1000 * seconds; Date.now() < end; await sleep(50)) {
    try { const found = await what(); if (found) return found; } catch (error) { var last = error; }
  }
  throw new Error("not in time: " + why + (last ? " (" + last + ")" : ""));
}
function deep(selector, root = document) {
  const found = root.querySelector(selector);
  if (found) return found;
  for (const element of root.querySelectorAll("*")) {
    const inside = element.shadowRoot && deep(selector, element.shadowRoot);
    if (inside) return inside;
  }
  return null;
}
const shown = element => element && !element.hidden && element.getClientRects().length > 0;
const server = () => MailServices.accounts.accounts.map(account => account.incomingServer).find(one => one.type == "imap");
const folder = name => [...server().rootFolder.descendants].find(one => one.localizedName == name);
const inbox = () => server().rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
const pane = () => gTabmail.currentAbout3Pane;
const header = (where, subject) => [...where.messages].find(one => one.mime2DecodedSubject == subject);
async function select(where, subject) {
  if (pane().gFolder != where) pane().displayFolder(where.URI);
  const found = await until(() => header(where, subject), `${subject} in ${where.localizedName}`);
  await until(() => { pane().selectMessage(found); return pane().gDBView.hdrForFirstSelectedMessage == found; }, "selected");
  return found;
}
function press(command, ...rest) { pane().commandController.doCommand(command, ...rest); }
const composing = () => until(() => {
  const found = Services.wm.getMostRecentWindow("msgcompose");
  return found?.gMsgCompose?.editor && !found.gWindowLocked && found.gLoadingComplete !== false && found;
}, "a window to write in");
async function send(window) {
  window.goDoCommand("cmd_sendNow");
  await until(() => window.closed, "it is sent");
}

// The root certificate in PEM, for servers.
async function trust(root) {
  const db = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
  db.addCertFromBase64(root.replace(/-----[^-]*-----|\s/g, ""), "CTu,Cu,Cu");
}

// By the address alone: where the servers are is looked up.
async function addAccount(name, address, password) {
  window.openAccountHub("MAIL");
  const type = (selector, value) => until(() => {
    const field = deep(selector);
    if (!shown(field)) return false;
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    return true;
  }, selector);
  const click = id => until(() => {
    const button = deep(`#emailFooter #${id}`);
    if (!shown(button) || button.disabled) return false;
    button.click();
    return true;
  }, id);
  await type("#realName", name);
  await type("#email", address);
  await click("forward");
  await until(() => shown(deep("email-config-found")), "settings are found");
  await click("forward");
  await type("#emailPasswordSubview #password", password);
  await click("forward");
  await until(server, "an account");
  await until(() => shown(deep("#emailAddedSuccessSubview")), "it says so", 50);
  await click("forward"); // « Finish »
  const out = MailServices.outgoingServer.servers[0].serverURI.spec;
  return [server().serverURI, out, [...server().rootFolder.descendants].map(one => one.localizedName)];
}

// Something in the inbox that the server tells of by itself.
const arrives = subject => until(() => header(inbox(), subject), `${subject} in the inbox`).then(() => null);

// Shown in the message pane; then it is no longer new.
async function read(subject, words) {
  const found = await select(inbox(), subject);
  await until(() => pane().messageBrowser.contentWindow.getMessagePaneBrowser().contentDocument.body.textContent.includes(words), words);
  await until(() => found.isRead, "read");
}

// « Reply », a text above the quotation, « Send ».
async function answer(subject, words) {
  await select(inbox(), subject);
  press("cmd_reply");
  const window = await composing();
  window.gMsgCompose.editor.insertText(words);
  await send(window);
}

async function letter(to, subject) {
  const parameters = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
  parameters.composeFields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
  Object.assign(parameters.composeFields, { to, subject });
  MailServices.compose.OpenComposeWindowWithParams(null, parameters);
  return composing();
}

async function write(to, subject, words) {
  const window = await letter(to, subject);
  window.gMsgCompose.editor.insertText(words);
  await send(window);
}

// The text of the dialogue that opens when it cannot be sent.
async function refused(to, subject) {
  const window = await letter(to, subject);
  window.goDoCommand("cmd_sendNow");
  return until(() => {
    for (const one of Services.wm.getEnumerator(null)) {
      const text = one.document.getElementById("infoBody")?.textContent;
      if (text) { one.close(); return text; }
    }
  }, "a dialogue with the reason");
}

// With a star and the first tag.
async function move(subject, target) {
  await select(inbox(), subject);
  press("cmd_markAsFlagged");
  press("cmd_tag1");
  await until(() => header(inbox(), subject).getStringProperty("keywords").includes("$label1"), "a tag");
  press("cmd_moveMessage", folder(target));
  await until(() => !header(inbox(), subject), "gone from the inbox");
  pane().displayFolder(folder(target).URI);
  await until(() => header(folder(target), subject)?.isFlagged, "there, with its star");
}

// The Delete key.
async function remove(subject) {
  await select(inbox(), subject);
  press("cmd_delete");
  await until(() => !header(inbox(), subject), "gone from the inbox");
}

// What another program did meanwhile.
async function changed(where, subject, isRead, isFlagged) {
  pane().displayFolder((await until(() => folder(where), where)).URI);
  await until(() => {
    const found = header(folder(where), subject);
    return found?.isRead == isRead && found.isFlagged == isFlagged;
  }, `${subject} in ${where}`);
}

// « Run search on server », in the bodies of the inbox; the subjects found.
async function search(words) {
  const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
  session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, inbox());
  const term = session.createTerm(), value = term.value;
  value.attrib = term.attrib = Ci.nsMsgSearchAttrib.Body;
  value.str = words;
  term.op = Ci.nsMsgSearchOp.Contains;
  term.value = value;
  term.booleanAnd = true;
  session.appendTerm(term);
  const found = [];
  await new Promise(done => {
    session.registerListener({ onSearchHit: one => found.push(one.mime2DecodedSubject), onSearchDone: done, onNewSearch() {} });
    session.search(null);
  });
  return found;
}

// « New LDAP directory », used when an address is typed; the password as it is remembered after the first time.
async function directory(url, login, password) {
  const { lDAPURL, dirPrefId } = await until(() => {
    const id = MailServices.ab.newAddressBook("Annuaire", url, Ci.nsIAbManager.LDAP_DIRECTORY_TYPE);
    return MailServices.ab.getDirectoryFromId(id).QueryInterface(Ci.nsIAbLDAPDirectory);
  }, "a directory");
  MailServices.ab.getDirectoryFromId(dirPrefId).QueryInterface(Ci.nsIAbLDAPDirectory).authDn = login;
  Services.prefs.setBoolPref("ldap_2.autoComplete.useDirectory", true);
  Services.prefs.setStringPref("ldap_2.autoComplete.directoryServer", dirPrefId);
  const known = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
  known.init(lDAPURL.prePath, null, lDAPURL.spec, "", password, "", ""); // by the place alone: the DN says who
  await Services.logins.addLoginAsync(known);
}

// What is proposed under the To field while this is typed: by the directory, or by the address books.
async function completes(source, typed) {
  const search = Cc[`@mozilla.org/autocomplete/search;1?name=${source}`].createInstance(Ci.nsIAutoCompleteSearch);
  const how = JSON.stringify({ idKey: MailServices.accounts.defaultAccount.defaultIdentity.key, type: "addr_to" });
  const { RESULT_SUCCESS, RESULT_NOMATCH, RESULT_FAILURE } = Ci.nsIAutoCompleteResult;
  return new Promise((done, failed) => search.startSearch(typed, how, null, { onSearchResult(_search, result) {
    if (result.searchResult == RESULT_FAILURE) failed(new Error(`${source}: ${result.errorDescription}`));
    if (![RESULT_SUCCESS, RESULT_NOMATCH].includes(result.searchResult)) return; // goes on
    done(Array.from({ length: result.matchCount }, (_, index) => result.getValueAt(index)));
  } }));
}

// « New CardDAV address book »: by the login and the place alone; the cards of each book that was found.
async function addressBooks(place, login, password) {
  const { CardDAVUtils } = ChromeUtils.importESModule("resource:///modules/CardDAVUtils.sys.mjs");
  const found = await CardDAVUtils.detectAddressBooks(login, password, place, false, true);
  const books = found.map(one => one.create());
  await until(() => books.every(book => book.childCards.length), "cards");
  return books.map(book => [book.dirName, book.readOnly, book.childCards.map(card => card.primaryEmail).sort()]);
}

// « Synchronise »: what came since.
async function synchronises(name, address) {
  const { CardDAVDirectory } = ChromeUtils.importESModule("resource:///modules/CardDAVDirectory.sys.mjs");
  const book = MailServices.ab.directories.find(one => one.dirName == name);
  await CardDAVDirectory.forFile(book.fileName).syncWithServer();
  await until(() => book.childCards.some(card => card.primaryEmail == address), address);
}
