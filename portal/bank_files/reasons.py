"""Why an intake refuses a file or a row: reason code -> (English, Chinese). Operators read both."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    # the manifest
    "manifest_missing": ("There is no manifest {name}.", "缺少清单文件 {name}。"),
    "manifest_unreadable": ("The manifest cannot be read: {fault}.", "清单无法读取：{fault}。"),
    "manifest_entry": (
        "The manifest entry {entry} is missing or not {expected}.",
        "清单项 {entry} 缺失，或不是{expected_zh}。",
    ),
    "manifest_encoding": (
        "The manifest declares the encoding {found}; the mapping says {expected}.",
        "清单声明的编码为 {found}，映射文件要求 {expected}。",
    ),
    "bank_other": (
        "The batch is of bank {found}; this installation takes {expected}.",
        "批次所属银行为 {found}，本系统只接收 {expected}。",
    ),
    "mode_first": (
        "The first batch must be full, not delta.",
        "首个批次必须为全量（full），不能是增量（delta）。",
    ),
    "sequence_gap": (
        "The sequence is {found}; after {last} comes {expected}. A batch is missing.",
        "批次序号为 {found}，上一批为 {last}，应为 {expected}：中间缺少批次。",
    ),
    "sequence_repeat": (
        "The sequence {found} was taken in before with other content.",
        "批次序号 {found} 已导入过，但内容不同。",
    ),
    "sequence_old": (
        "The sequence {found} is older than the last one taken in, {last}.",
        "批次序号 {found} 早于已导入的最后一批 {last}。",
    ),
    "date_old": (
        "The business date {found} is before that of the last batch, {last}.",
        "营业日期 {found} 早于上一批的 {last}。",
    ),
    "date_future": (
        "The business date {found} is after today, {today}.",
        "营业日期 {found} 晚于今天 {today}。",
    ),
    "file_missing": ("The file is missing.", "缺少该文件。"),
    "file_unlisted": (
        "The file is in the folder but not in the manifest.",
        "文件在目录中，但清单未列出。",
    ),
    "file_unknown": (
        "The manifest lists a file that the mapping does not know.",
        "清单列出了映射文件中没有的文件。",
    ),
    "file_not_listed": (
        "The manifest does not list this file; a full batch needs every file.",
        "清单未列出该文件；全量批次必须包含全部文件。",
    ),
    "sha256": (
        "The file is not the one the manifest names: its SHA-256 begins {found}, not {expected}.",
        "文件与清单不符：SHA-256 开头为 {found}，清单为 {expected}。",
    ),
    "changed_meanwhile": (
        "The file changed while it was being read. Nothing was applied.",
        "读取过程中文件发生变化，未作任何改动。",
    ),
    "row_count": (
        "The file has {found} rows; the manifest says {expected} (difference {difference}).",
        "文件共 {found} 行，清单为 {expected} 行（相差 {difference}）。",
    ),
    "total_missing": (
        "The manifest has no control total for this column.",
        "清单缺少该列的控制合计。",
    ),
    "total_unknown": (
        "The manifest totals a column that is no amount column of this file.",
        "清单中的合计列不是该文件的金额列。",
    ),
    "total": (
        "The {rows} rows sum to {found}; the manifest says {expected} (difference {difference}).",
        "{rows} 行合计 {found}，清单为 {expected}，相差 {difference}。",
    ),
    # encoding and structure
    "empty_file": ("The file is empty.", "文件为空。"),
    "byte_order_mark": (
        "The file begins with a byte-order mark ({found}) at byte 0, which the mapping does not declare.",
        "文件在第 0 字节处有字节顺序标记（{found}），与映射文件声明不符。",
    ),
    "encoding_header": (
        "The header is not in the declared encoding {expected}: from byte {offset} on it reads as {found}.",
        "表头不是声明的编码 {expected}：自第 {offset} 字节起按 {found} 才能读出。",
    ),
    "undecodable": (
        "Byte {offset} of the file cannot be read as {expected}.",
        "文件第 {offset} 字节无法按 {expected} 读取。",
    ),
    "mixed_encoding": (
        "The row from byte {offset} on is written in UTF-8, not in {expected}.",
        "自第 {offset} 字节起的行是 UTF-8 编码，而非 {expected}。",
    ),
    "delimiter": (
        "The columns are separated by “{found}”, not by “{expected}”.",
        "列分隔符为“{found}”，应为“{expected}”。",
    ),
    "header_absent": (
        "The first row is not the header the mapping declares.",
        "首行不是映射文件声明的表头。",
    ),
    "column_missing": ("The column is missing.", "缺少该列。"),
    "column_extra": ("The column is not in the mapping.", "映射文件中没有该列。"),
    "column_repeated": ("The column appears more than once.", "该列重复出现。"),
    "column_order": (
        "The columns are in another order: {found} stands where {expected} belongs.",
        "列顺序不符：{expected} 的位置上是 {found}。",
    ),
    "header_bytes": (
        "The header differs from the declared one at byte {offset}.",
        "表头自第 {offset} 字节起与声明不一致。",
    ),
    "line_end": (
        "The row does not end with {expected}: its line end is another one, or it was cut off.",
        "该行没有以 {expected} 结尾：换行符不同，或文件被截断。",
    ),
    "blank_line": ("The row is blank.", "空行。"),
    "cell_count": (
        "The row has {found} cells; {expected} are needed.",
        "该行有 {found} 列，应为 {expected} 列。",
    ),
    "quote": ("A quotation mark is out of place.", "引号位置不正确。"),
    "quote_open": (
        "A quotation mark is opened and never closed; the rest of the file was not read.",
        "引号未闭合，文件其余部分未读取。",
    ),
    "line_long": (
        "The row is longer than {limit} bytes; the rest of the file was not read.",
        "该行超过 {limit} 字节，文件其余部分未读取。",
    ),
    # cells
    "empty": ("The cell is empty.", "单元格为空。"),
    "ref": (
        "Not a reference: only ASCII letters, digits, point, hyphen and underscore, no spaces.",
        "编号格式不正确：只能是半角字母、数字、点、连字符和下划线，不含空格。",
    ),
    "repeated_ref": ("A reference is named twice in the cell.", "同一编号在单元格中出现两次。"),
    "long": ("Longer than {size} characters.", "超过 {size} 个字符。"),
    "control": (
        "Holds a control or replacement character.",
        "含有控制字符或替换字符（乱码）。",
    ),
    "date_form": ("Not a date in the form {form}.", "日期不是 {form} 格式。"),
    "date_none": ("There is no such date.", "该日期不存在。"),
    "date_range": ("The date is before 1970 or after 2199.", "日期早于 1970 年或晚于 2199 年。"),
    "amount_empty": ("The amount is empty.", "金额为空。"),
    "amount_form": (
        "Not an amount in the declared form for {currency}: plain digits, no separators or signs of currency.",
        "金额格式与声明的 {currency} 格式不符：只能是半角数字，不含分隔符和货币符号。",
    ),
    "amount_sign": ("The amount must not be negative (nor -0).", "金额不能为负（也不能写作 -0）。"),
    "amount_large": ("The amount is above 10,000,000,000.00.", "金额超过 10,000,000,000.00。"),
    "amount_zero": ("The amount must be above nought.", "金额必须大于零。"),
    "code": ("Not a known code (known: {known}).", "代码未知（可用：{known}）。"),
    "rate": ("Not a rate such as 8.80% or 0.088.", "利率格式不正确，应如 8.80% 或 0.088。"),
    "number": ("Not a whole number in plain digits.", "不是半角整数。"),
    "number_large": ("Larger than {size}.", "大于 {size}。"),
    "number_zero": ("Must be at least 1.", "至少为 1。"),
    "phone": (
        "Not a telephone number: 6 to 15 digits, with + before a country code at most.",
        "电话号码格式不正确：6 至 15 位数字，前面最多有一个 +。",
    ),
    "id_number": (
        "Not an ID number: 4 to 24 digits and capital letters.",
        "证件号码格式不正确：4 至 24 位数字或大写字母。",
    ),
    "currency": ("Not a currency this portal knows (known: {known}).", "币种未知（可用：{known}）。"),
    # rows among each other
    "duplicate": (
        "The same reference stands in line {first} already.",
        "与第 {first} 行编号重复。",
    ),
    "unknown_ref": (
        "No such row in {target}, neither in this batch nor taken in before.",
        "在 {target} 中找不到对应的行（本批次和此前导入的数据中均没有）。",
    ),
    "foreign_loan": ("The loan belongs to another customer.", "该借据属于另一位客户。"),
    "loan_currencies": ("The loans named are in different currencies.", "所列借据币种不一致。"),
    "owner_changed": (
        "The loan was taken in under another customer.",
        "该借据此前导入时属于另一位客户。",
    ),
    "terms_changed": (
        "The currency of a loan cannot change.",
        "借据的币种不能变更。",
    ),
    "dates_order": ("It ends before it begins.", "结束早于开始。"),
    "maturity": (
        "The instalments do not fit between the opening and the maturity date.",
        "按期数和还款日推算，分期无法落在放款日与到期日之间。",
    ),
    "placeholder": ("The text has no {{code}} for the portal to fill in.", "正文缺少供系统填写的 {{code}}。"),
    "posted_future": (
        "Posted after the business date {business_date}.",
        "记账日晚于营业日期 {business_date}。",
    ),
    "as_of": ("The date is not the business date {business_date}.", "日期不是营业日期 {business_date}。"),
    "line_sign": ("The sign does not fit this kind of line.", "金额正负与交易类型不符。"),
    "line_component": (
        "This kind of line has no amount in this column.",
        "该交易类型在此列不应有金额。",
    ),
    "line_nothing": ("The line moves no amount.", "该行没有任何金额。"),
    "reversal_ref": (
        "Only a reversal names another line, and it must.",
        "只有冲正行需要且必须填写原流水号。",
    ),
    "reversal_amount": (
        "The reversal is not the exact opposite of line {original}.",
        "冲正金额与原流水 {original} 不是正好相反。",
    ),
    "reversal_again": ("The line {original} is reversed twice.", "原流水 {original} 被重复冲正。"),
    "reversal_kind": ("A reversal cannot be reversed.", "冲正行不能再被冲正。"),
    "reversal_loan": ("The reversed line belongs to another loan.", "原流水属于另一借据。"),
    "line_changed": (
        "The line was taken in before with other content.",
        "该流水此前已导入，内容不同。",
    ),
    "contact_changed": (
        "The contact was taken in before with other content.",
        "该次联系此前已导入，内容不同。",
    ),
    "contact_future": (
        "It took place after the business date {business_date}.",
        "联系时间晚于营业日期 {business_date}。",
    ),
    "foreign_notice": ("The notice belongs to another customer.", "该通知属于另一位客户。"),
    "transfer_changed": (
        "The transfer was taken in before with other content.",
        "该笔来账此前已导入，内容不同。",
    ),
    "line_lost": (
        "The line {original} was taken in before and is missing from this full batch.",
        "流水 {original} 此前已导入，但本全量批次中缺失。",
    ),
    "balance_missing": (
        "The loan {loan} has lines in this batch and no balance.",
        "借据 {loan} 在本批次有流水，但没有余额行。",
    ),
    "left": (
        "Left is not owed less paid (difference {difference}).",
        "剩余不等于应还减已还（相差 {difference}）。",
    ),
    "balance": (
        "The ledger's lines give {found}; the file says {expected} (difference {difference}).",
        "按流水合计为 {found}，文件为 {expected}，相差 {difference}。",
    ),
    "overpaid": (
        "More was paid than was ever charged (by {difference}).",
        "已还超过应还（多 {difference}）。",
    ),
    "days_overdue": (
        "By the ledger and the contract it is {found} days; the file says {expected}.",
        "按流水和合同推算为 {found} 天，文件为 {expected} 天。",
    ),
}
