// The page's words: Chinese for the users, English beside it.
export const STRINGS = {
  zh: {
    title: "12345 热线 · 实时状态", recordings: "录音与质检", language: "English", connected: "已连接", lost: "连接中断，正在重连",
    ready: "可接入", not_ready_system: "未就绪", agents: "话务员", calls: "最近来电", arrived: "来电时间",
    caller: "来电号码", agent: "话务员", state: "状态", wait: "等待", talk: "通话", recording: "录音",
    waiting: "排队中", offered: "来电总数", answered: "已接通", abandoned: "已放弃", in_target: "按时接通",
    level: "服务水平", longest: "最长等待", target: "目标", seconds: "秒", none: "—", play: "播放",
    storing: "保存中", empty: "还没有来电。", queue: "队列",
    states: { offline: "离线", ready: "空闲", ringing: "振铃", talking: "通话中", held: "保持", wrap_up: "话后处理",
      not_ready: "示忙", waiting: "排队中", ending: "结束中", answered: "已接听", abandoned: "已放弃",
      overflowed: "已溢出", rejected: "已拒绝", failed: "失败" },
  },
  en: {
    title: "12345 hotline · live", recordings: "Recordings and quality", language: "中文", connected: "connected", lost: "connection lost, trying again",
    ready: "ready", not_ready_system: "not ready", agents: "Agents", calls: "Latest calls", arrived: "Arrived",
    caller: "Caller", agent: "Agent", state: "State", wait: "Wait", talk: "Talk", recording: "Recording",
    waiting: "Waiting", offered: "Offered", answered: "Answered", abandoned: "Abandoned", in_target: "In target",
    level: "Service level", longest: "Longest wait", target: "target", seconds: "s", none: "—", play: "Play",
    storing: "being stored", empty: "No calls yet.", queue: "Queue",
    states: { offline: "offline", ready: "ready", ringing: "ringing", talking: "talking", held: "held",
      wrap_up: "wrap-up", not_ready: "not ready", waiting: "waiting", ending: "ending", answered: "answered",
      abandoned: "abandoned", overflowed: "overflowed", rejected: "rejected", failed: "failed" },
  },
};
