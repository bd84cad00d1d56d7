import PlanFormat

/// Everything that is known of one model: what `report` and `auto` render.
///
/// Nothing in it depends on the machine that measured or the time: the same values give the same bytes.
package struct ModelReport: Sendable {
    /// The title, and the stem of the pictures' files.
    package var name: String
    /// The sensitivity table.
    package var sensitivity: SensitivityTable
    /// The frontier of the table, with the plan's place and prices where there is a plan.
    package var frontier: FrontierTable
    /// The chosen plan.
    package var plan: Plan?
    /// Full precision, uniform plans and the chosen one, evaluated.
    package var comparison: ComparisonTable?

    /// A picture that stands beside the report.
    package struct Figure: Hashable, Sendable {
        /// The file's name, which the Markdown refers to.
        package let name: String
        /// SVG.
        package let svg: String
    }

    /// A report of these parts.
    package init(
        name: String, sensitivity: SensitivityTable, frontier: FrontierTable, plan: Plan?,
        comparison: ComparisonTable?
    ) {
        self.name = name
        self.sensitivity = sensitivity
        self.frontier = frontier
        self.plan = plan
        self.comparison = comparison
    }

    /// The pictures: sensitivity by depth and frontier where the cells were measured, and bits by depth where
    /// there is a plan.
    ///
    /// - Throws: `PlanError` where the plan does not fit the table's model.
    package func figures() throws(PlanError) -> [Figure] {
        var figures: [Figure] = []
        if sensitivity.proxy == nil {
            figures.append(Figure(name: name + ".sensitivity.svg", svg: sensitivity.mapSVG))
            figures.append(Figure(name: name + ".frontier.svg", svg: frontier.plotSVG))
        }
        if let plan {
            figures.append(
                Figure(name: name + ".bits.svg", svg: try plan.bitsSVG(of: sensitivity.layout)))
        }
        return figures
    }

    /// The report as Markdown.
    ///
    /// - Parameters:
    ///   - withFigures: whether it refers to the pictures, which then have to stand beside it.
    ///   - listsMatrices: whether it lists what is inside the sublayers, where matrices have schemes of their
    ///     own; else it says how to get that.
    /// - Throws: `PlanError` where the plan does not fit the table's model.
    package func markdown(withFigures: Bool, listsMatrices: Bool = false) throws(PlanError) -> String {
        func figure(_ kind: String, _ title: String) -> String {
            withFigures ? "![\(title)](\(name).\(kind).svg)\n\n" : ""
        }
        var text = "# \(name)\n\n"
        if let comparison { text += comparisonSection(comparison) }
        if isOfMatrices, !listsMatrices { text += Self.matricesNote + "\n\n" }
        if let plan {
            text += "## Plan\n\n"
            text += try plan.bitsTable(of: sensitivity.layout, listsMatrices: false).text + "\n"
            if isOfMatrices { text += Self.mixedNote + "\n\n" }
            text += figure("bits", "Bits of every sublayer by depth")
            if isOfMatrices, listsMatrices { text += try plan.matricesTable(of: sensitivity).text + "\n" }
            text += planSections(plan)
        }
        let losses = sensitivity.markdown(listsMatrices: listsMatrices)
        guard sensitivity.proxy == nil else {
            return text + "## Sensitivity\n\n" + Self.unmeasuredNote + "\n\n" + losses
        }
        text += "## Frontier\n\n" + figure("frontier", "Bytes against loss: the frontier and plans beside it")
        text += frontier.markdown + "\n"
        if let prices = frontier.prices {
            text += "## Why these bits\n\n"
            text += prices.markdown(listsSteps: listsMatrices || !isOfMatrices) + "\n"
        }
        text += "## Sensitivity\n\n" + figure("sensitivity", "KL of each sublayer by type and depth")
        return text + losses
    }

    /// Why a table of proxies has no frontier.
    static let unmeasuredNote = "The cells were not measured, so no frontier and no prices are made of them."

    /// How a plan in context is found.
    static let roundsNote =
        "Each round solves exactly what is known from measurements around the best plans so far, and measures the answer."

    /// What a reader has to know of the plan and those that were measured: what their KL is measured on,
    /// which of them was set aside, what is known of its loss.
    func notes(on plan: Plan) -> [String] {
        let isOwn = plan.isMeasured && plan.provenance?.targets == .own
        return (isOwn ? ["KL is measured on the full-precision model's own outputs."] : [])
            + plan.judgement(metricName: sensitivity.metricName)
    }

    /// The metric that a comparison shows, with its settings.
    func metricNote(_ comparison: ComparisonTable) -> String {
        comparison.metric.map { "Metric: `\($0)`." }
            ?? "No metric was measured: the data have no references."
    }

    /// What the whole packed directory weighs; nil where that is not known.
    func weightNote(_ comparison: ComparisonTable) -> String? {
        guard let beside = comparison.besideBytes, let plan = comparison.rows.last else { return nil }
        return
            "Bytes are those of the file of weights. The plan's packed directory has \(grouped(beside)) more "
            + "(tokenizer, configuration, plan): \(grouped(plan.bytes + beside)) in all."
    }

    /// What was asked for, and which data the numbers come from: one paragraph.
    func introduction(_ comparison: ComparisonTable) -> String {
        let target = comparison.budgetBytes.map { "Target: \(grouped($0)) bytes. " } ?? ""
        return target + "Planned on \(sensitivity.provenance.sentences) items; "
            + (comparison.isHeldOut
                ? "the first table is measured on \(comparison.sentences) others."
                : "the first table is measured on the same, for no others were given.")
    }

    private func comparisonSection(_ comparison: ComparisonTable) -> String {
        introduction(comparison) + "\n\n" + comparison.table.text + "\n" + metricNote(comparison) + "\n\n"
            + (weightNote(comparison).map { $0 + "\n\n" } ?? "")
    }

    private func planSections(_ plan: Plan) -> String {
        var text = plan.isMeasured ? "## Plans measured on the planning data\n\n" : ""
        for note in notes(on: plan) { text += note + "\n\n" }
        if plan.isMeasured {
            text +=
                plan.measuredTable(
                    metricName: sensitivity.metricName,
                    fullPrecisionBytes: sensitivity.layout.fullPrecisionBytes
                ).text
            text += "\n"
        }
        if plan.rounds?.isEmpty == false {
            text += "## Planning in context\n\n" + Self.roundsNote + "\n\n" + plan.roundsTable.text + "\n"
        }
        return text
    }
}
