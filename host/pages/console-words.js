// @ts-check
// What the console says.

import { Words } from "./words.js";

export const words = new Words({
  zh: {
    console: "控制台", language: "语言", test: "测试", domain: "域", allDomains: "全部域", rooms: "栏目", signIn: "登录", signOut: "退出",
    key: "API 密钥", keyHint: "域的密钥，或运营者的 root、op 密钥。登录保留十二小时；密钥作废时立即失效。",
    overview: "概览", payments: "支付单", callbacks: "回调", targets: "收款账户", domains: "域与密钥", pickDomain: "请先在上方选择一个域。",
    ended: "登录已过期，请重新登录。", offline: "连接不到服务器，请稍后重试。", wrong: "没有成功：{why}（{code}）", done: "已完成。",
    lastDay: "最近 24 小时", lastMonth: "最近 30 天", paidSum: "成功金额", paidCount: "成功笔数", successRate: "成功率", timeToPaid: "平均付款用时",
    waitingNow: "等待中", held: "待人工处理", byWay: "按付款方式", way: "方式", of: "{a}/{b}", seconds: "{n} 秒", chart: "{title}：每格成功与未成功笔数", unsent: "未发送",
    filter: "筛选", filterHint: "例如 st:OK, fee:'[100,200]', ct:today", apply: "查询", following: "自动更新", more: "下一页", csv: "导出 CSV", none: "没有找到。",
    id: "编号", brief: "说明", fee: "金额", st: "状态", pay_tp: "方式", pay_target: "账户", ct: "创建", lm: "修改", buyer_nm: "买家", seller_nm: "卖家", count: "共 {n} 笔", columns: "列",
    details: "支付单", refunded: "已退款", why: "原因", expi: "截止", sent: "发送", closed: "结束", applied: "回调执行", result: "回调结果", meta: "其余字段",
    history: "历史", attempts: "尝试", refunds: "退款", deliveries: "回调投递", evidence: "平台陈述（已验证）", trade: "订单号", error: "错误", state: "状态", tries: "次数", due: "下次", log: "日志",
    ask: "向平台查询", close: "关闭", reverse: "撤销", refund: "退款", amount: "金额（留空为全部）", reason: "原因", retry: "立即重投", accept: "按已付接受", dismiss: "驳回", giveBack: "退回",
    heldTitle: "等待人工决定", heldText: "平台说付了 {paid}，应付 {due}：{why}", confirm: "确定{what}？", stated: "平台所述", expected: "应为", same: "一致", differs: "不一致", claim: "声明", scheme: "验签方式",
    name: "名称", kind: "类型", size: "大小", version: "版本", note: "备注", newCallback: "新建 JavaScript 回调", edit: "编辑", save: "上传", saveAnyway: "仍然上传", testRun: "试运行", sample: "样例支付单（JSON，可留空）",
    versions: "历史版本", show: "查看", rollBack: "回滚到此版本", remove: "删除", binary: "这是一个 WebAssembly 组件，不能在此编辑。", saved: "已上传，版本 {n}。", ran: "试运行通过。", failed: "试运行失败",
    answer: "返回", effects: "写入与事件", requests: "将发送的请求", cost: "开销", memory: "内存", time: "时间", share: "占限额 {n}%", content: "脚本",
    platform: "平台", default: "默认", retired: "已停用", live: "正式", newTarget: "新账户", settings: "设置", keep: "密钥不会再显示；留空则保持不变。网关地址改变时须重新填写。", kept: "已保存，留空则不变", without: "删除 {name}", put: "保存", probe: "测试连接", notify: "通知地址", retire: "停用",
    works: "可用：{said}", worksNot: "不可用：{said}", forTests: "测试账户", isDefault: "默认账户", yes: "是", no: "否",
    newDomain: "新建域", addDomain: "添加", keys: "密钥", newKey: "发放密钥", newTestKey: "发放测试密钥", revoke: "作废", shownOnce: "只显示这一次：{key}", providers: "平台组件", mayDo: "允许做的事", web: "回调可访问的主机",
  },
  en: {
    console: "Console", language: "Language", test: "Test", domain: "Domain", allDomains: "All domains", rooms: "Rooms", signIn: "Sign in", signOut: "Sign out",
    key: "API key", keyHint: "A domain's key, or the operator's root or op key. You stay signed in for twelve hours, and no longer than the key is good.",
    overview: "Overview", payments: "Payments", callbacks: "Callbacks", targets: "Targets", domains: "Domains and keys", pickDomain: "Pick a domain above first.",
    ended: "You have been signed out: please sign in again.", offline: "The server cannot be reached; please try again.", wrong: "That did not work: {why} ({code})", done: "Done.",
    lastDay: "Last 24 hours", lastMonth: "Last 30 days", paidSum: "Paid", paidCount: "Payments", successRate: "Success rate", timeToPaid: "Mean time to paid",
    waitingNow: "Waiting", held: "Held", byWay: "By pay type", way: "Pay type", of: "{a}/{b}", seconds: "{n} s", chart: "{title}: paid and other payments in each step", unsent: "not sent",
    filter: "Filter", filterHint: "such as st:OK, fee:'[100,200]', ct:today", apply: "Find", following: "Follow", more: "Next page", csv: "Export CSV", none: "Nothing found.",
    id: "Id", brief: "Brief", fee: "Amount", st: "State", pay_tp: "Pay type", pay_target: "Target", ct: "Created", lm: "Changed", buyer_nm: "Buyer", seller_nm: "Seller", count: "{n} payments", columns: "Columns",
    details: "Payment", refunded: "Refunded", why: "Why", expi: "Deadline", sent: "Sent", closed: "Ended", applied: "Callback applied", result: "Callback's result", meta: "Other fields",
    history: "History", attempts: "Attempts", refunds: "Refunds", deliveries: "Deliveries", evidence: "What the platform stated (verified)", trade: "Trade number", error: "Error", state: "State", tries: "Tries", due: "Next", log: "Log",
    ask: "Ask the platform", close: "Close", reverse: "Undo", refund: "Refund", amount: "Amount (all without it)", reason: "Reason", retry: "Retry now", accept: "Accept as paid", dismiss: "Dismiss", giveBack: "Give back",
    heldTitle: "A person has to decide", heldText: "The platform says that {paid} was paid, {due} was due: {why}", confirm: "{what}: sure?", stated: "Stated", expected: "Due", same: "same", differs: "differs", claim: "Claim", scheme: "Verified by",
    name: "Name", kind: "Kind", size: "Size", version: "Version", note: "Note", newCallback: "New JavaScript callback", edit: "Edit", save: "Upload", saveAnyway: "Upload anyway", testRun: "Try it", sample: "Sample payment (JSON, optional)",
    versions: "Versions", show: "Show", rollBack: "Roll back to it", remove: "Delete", binary: "This is a WebAssembly component; it cannot be edited here.", saved: "Uploaded as version {n}.", ran: "The dry run passed.", failed: "The dry run failed",
    answer: "Answer", effects: "Writes and events", requests: "Requests that it would send", cost: "Cost", memory: "Memory", time: "Time", share: "{n}% of the limit", content: "Script",
    platform: "Platform", default: "Default", retired: "Retired", live: "Live", newTarget: "New target", settings: "Settings", keep: "Secrets are never shown again. What is left empty stays as it is; where the address that they go to changes, give them anew.", kept: "Kept; leave it empty to leave it so", without: "Remove {name}", put: "Save", probe: "Test it", notify: "Notification address", retire: "Retire",
    works: "It works: {said}", worksNot: "It does not work: {said}", forTests: "For test payments", isDefault: "The default", yes: "yes", no: "no",
    newDomain: "New domain", addDomain: "Add", keys: "Keys", newKey: "Issue a key", newTestKey: "Issue a test key", revoke: "Revoke", shownOnce: "Shown this once: {key}", providers: "Providers", mayDo: "What it may do", web: "Hosts that callbacks may reach",
  },
});
