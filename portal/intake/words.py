"""What an operator and a supervisor read about a whole batch, in Chinese and English."""

from __future__ import annotations

from portal.intake.undo import CannotUndo
from portal.money import Money
from portal.staging.drift import Finding

_TABLES = {
    "payment": ("付款", "payments"),
    "refund": ("退款", "refunds"),
    "dispute": ("争议", "disputes"),
    "suspense_move": ("挂账处理", "moves of money without a place"),
    "statement": ("对账单", "statements"),
    "proposal": ("还款方案", "proposals"),
    "decision": ("审批决定", "decisions"),
    "agreement": ("协议", "agreements"),
    "plan": ("还款计划", "plans"),
    "plan_receipt": ("计划入账", "payments on plans"),
    "incoming_transfer": ("银行转账的退回", "bank transfers sent back"),
    "message": ("已发出的收款通知", "receipts sent for its bank transfers"),
    "outgoing_entry": ("已报送核心系统的入账", "bank transfers already told to the core"),
    "contact": ("本系统联系记录", "contacts written down here"),
    "contact_breach": ("已处理的违规联系", "breaches of contact rules that were worked"),
    "ledger_line": ("本系统记账", "lines posted here"),
    "notice": ("已生成查询码的通知", "notices whose codes are given out"),
}
_OTHER = ("其他记录", "other records")
#: What stands in the way because a transfer was placed.
_OF_TRANSFERS = frozenset({"incoming_transfer", "message", "outgoing_entry", "plan_receipt"})
_BACK = (
    "错误的转账，请在 transfers 文件中用 reverses_ref 列写明其编号，另起一行退回。",
    " A transfer that was wrong is taken back by a row of the transfers file that names it in reverses_ref.",
)


def finding_words(one: Finding) -> tuple[str, str]:
    """Why a second person must look, in both languages."""
    facts = dict(one.facts)
    for name in ("before", "after", "change"):
        if name in facts:
            facts[name] = Money(facts[name], str(facts["currency"])).plain()
    zh, en = _FINDINGS[one.rule]
    return zh.format(**facts), en.format(**facts)


def in_the_way_words(answer: CannotUndo) -> tuple[str, str]:
    """Why the last batch cannot be taken back, in both languages."""
    if answer.reason == "none":
        return "没有可以撤销的批次。", "There is no batch to take back."
    named = [(_TABLES.get(table, _OTHER), count) for table, count in answer.in_the_way.items()]
    zh = "、".join(f"{words[0]} {count} 条" for words, count in named)
    en = ", ".join(f"{count} {words[1]}" for words, count in named)
    back = _BACK if _OF_TRANSFERS & answer.in_the_way.keys() else ("", "")
    return (
        f"不能撤销，未作任何改动：此后已有依据该批次产生的{zh}。请让银行在下一批中更正。{back[0]}",
        f"Not undone, nothing was changed: since then there are {en} that rest on it."
        f" Let the bank correct it in the next batch.{back[1]}",
    )


_FINDINGS = {
    "book": (
        "{currency} 贷款剩余合计由 {before} 变为 {after}（{change}），超过限额。",
        "What is left on all loans in {currency} goes from {before} to {after} ({change}), beyond the limit.",
    ),
    "row": (
        "{count} 笔借据的剩余增至原来的 {fold} 倍以上，例如 {loan}：{before} → {after}。",
        "On {count} loans what is left rises {fold}-fold or more, such as {loan}: {before} to {after}.",
    ),
    "terms": (
        "{count} 笔借据的本金或利率变为原来的 {fold} 倍以上或 {fold} 分之一以下。",
        "On {count} loans the principal or a rate becomes {fold} times what it was, or a {fold}th part of it.",
    ),
    "phones": (
        "{customers} 位客户中有 {count} 位的手机号变更，超过限额。",
        "{count} of {customers} customers get another phone number, beyond the limit.",
    ),
}
