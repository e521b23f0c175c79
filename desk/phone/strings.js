// The browser seat's words: Chinese for the users, English beside it.
export const STRINGS = {
  zh: {
    title: "12345 坐席话机", language: "English", user: "坐席号", password: "密码", auto: "自动接听",
    login: "登录", logout: "退出", answer: "接听", hangup: "挂断", hold: "保持", mute: "静音", call: "拨打",
    number: "电话号码", offline: "未登录", connecting: "连接中", registered: "已登录", lost: "连接中断，正在重连",
    idle: "等待来电", incoming: "来电", calling: "呼叫中", talking: "通话中", held: "保持中", muted: "已静音",
    anonymous: "匿名来电",
    no_jssip: "本机没有网页话机组件（JsSIP）。请在安装了 npm 的机器上运行 make setup 后刷新本页。",
    no_socket: "服务器没有开启 WebSocket：请在配置 [sip] listen 中加入 ws:// 或 wss:// 地址。",
    no_microphone: "无法使用麦克风：请允许本页使用麦克风，并通过 https:// 或 localhost 打开本页。",
    no_settings: "服务器没有应答，无法登录：请检查网络后刷新本页。",
    refused: "登录失败：坐席号或密码不正确。", failed: "通话没有接通：", cause: "原因不明",
    causes: { "Connection Error": "网络连接中断", "Request Timeout": "服务器没有应答", "SIP Failure Code": "服务器拒绝了通话",
      "Internal Error": "话机内部错误", Busy: "对方忙", Rejected: "对方拒接", Redirected: "已转移", Unavailable: "对方无法接通",
      "Not Found": "号码不存在", "Address Incomplete": "号码不完整", "Incompatible SDP": "语音格式不兼容",
      "Missing SDP": "语音协商失败", "Authentication Error": "坐席号或密码不正确", Terminated: "已挂断", "WebRTC Error": "浏览器语音错误",
      Canceled: "对方已取消", "No Answer": "无人接听", Expires: "呼叫超时", "No ACK": "通话建立超时", "Dialog Error": "通话状态错误",
      "User Denied Media Access": "没有允许使用麦克风", "Bad Media Description": "语音协商失败", "RTP Timeout": "收不到语音" },
  },
  en: {
    title: "12345 seat's phone", language: "中文", user: "Seat", password: "Password", auto: "Answer by itself",
    login: "Log in", logout: "Log out", answer: "Answer", hangup: "Hang up", hold: "Hold", mute: "Mute", call: "Call",
    number: "phone number", offline: "logged out", connecting: "connecting", registered: "logged in",
    lost: "connection lost, trying again", idle: "waiting for calls", incoming: "incoming call", calling: "calling",
    talking: "talking", held: "on hold", muted: "muted", anonymous: "number withheld",
    no_jssip: "JsSIP is not here: run make setup on a machine with npm, then load this page again.",
    no_socket: "The server has no WebSocket: add a ws:// or wss:// address to [sip] listen.",
    no_microphone: "The microphone cannot be used: allow it, and open this page by https:// or localhost.",
    no_settings: "The server does not answer: nobody can log in. Look at the network, then load this page again.",
    refused: "Not logged in: seat or password is wrong.", failed: "The call came to nothing: ", cause: "unknown cause",
    causes: {},   // JsSIP's own words are English
  },
};
