// What the server refuses, in the users' words: by the API's code, else by the status.
const ZH = {
  token_needed: "需要登录：请用 /?token=令牌 打开，或输入账号和密码。", forbidden: "没有权限。", wrong_person: "身份或密码不正确。",
  unknown: "没有这一项。", wrong_state: "当前状态下不能这样做。", not_allowed: "配置不允许这样做。",
  reason_needed: "必须填写事由。", unavailable: "服务暂时不可用。", too_many_tries: "密码错误次数过多，请稍后再试。", another_site: "不允许其他网站的页面进行操作。", link_forged: "链接无效。",
  link_expired: "链接已过期，请重新打开。", gone: "录音已删除。",
  401: "需要登录。", 403: "没有权限。", 404: "没有这一项。", 410: "已删除或已过期。", 416: "播放位置超出录音。",
  422: "填写的内容不正确。", 429: "尝试过于频繁，请稍后再试。", 503: "服务暂时不可用。",
};
const AWAY = { zh: "连不上服务器。", en: "the server does not answer" };

export class Refused extends Error {
  constructor(status, code, detail) {
    super(detail);
    Object.assign(this, { status, code });
  }
}

// An answer that is not ok, as an error that knows its code.
export async function refused(answer) {
  const said = await answer.json().catch(() => ({}));
  const detail = said.detail ?? answer.statusText;
  const text = typeof detail === "string" ? detail : detail.map((one) => `${one.loc.at(-1)}: ${one.msg}`).join("; ");
  return new Refused(answer.status, said.code, text);
}

// A token in the address would stay in the history, and on a screen that others see.
export function forgetToken() {
  const here = new URL(location);
  if (!here.searchParams.has("token")) return;
  here.searchParams.delete("token");
  history.replaceState(null, "", here);
}

// What to show of an error; the server's own words are English.
export function told(error, language) {
  if (error instanceof Refused) {
    return language === "en" ? error.message : ZH[error.code] ?? ZH[error.status] ?? `服务器拒绝了（${error.status}）。`;
  }
  return error instanceof TypeError || error.name === "TimeoutError" ? AWAY[language] : error.message;
}
