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
    /// - Parameter withFigures: whether it refers to the pictures, which then have to stand beside it.
    /// - Throws: `PlanError` where the plan does not fit the table's model.
    package func markdown(withFigures: Bool) throws(PlanError) -> String {
        func figure(_ kind: String, _ title: String) -> String {
            withFigures ? "![\(title)](\(name).\(kind).svg)\n\n" : ""
        }
        var text = "# \(name)\n\n"
        if let comparison { text += comparisonSection(comparison) }
        if let plan {
            text += "## Plan\n\n" + (try plan.bitsTable(of: sensitivity.layout)) + "\n"
            text += figure("bits", "Bits of every sublayer by depth")
            text += planSections(plan)
        }
        guard sensitivity.proxy == nil else {
            text +=
                "## Sensitivity\n\nThe cells were not measured, so no frontier and no prices are made of them.\n\n"
            return text + sensitivity.markdown
        }
        text += "## Frontier\n\n" + figure("frontier", "Bytes against loss: the frontier and plans beside it")
        text += frontier.markdown + "\n"
        if let prices = frontier.prices { text += "## Why these bits\n\n" + prices.markdown + "\n" }
        text += "## Sensitivity\n\n" + figure("sensitivity", "KL of each sublayer by type and depth")
        return text + sensitivity.markdown
    }

    private func comparisonSection(_ comparison: ComparisonTable) -> String {
        var text = comparison.budgetBytes.map { "Target: \(grouped($0)) bytes. " } ?? ""
        text += "Planned on \(sensitivity.provenance.sentences) items; "
        text +=
            comparison.isHeldOut
            ? "the first table is measured on \(comparison.sentences) others.\n\n"
            : "the first table is measured on the same, for no others were given.\n\n"
        let metric = comparison.metric.map { "Metric: `\($0)`." }
        return text + comparison.markdown + "\n"
            + (metric ?? "No metric was measured: the data have no references.") + "\n\n"
    }

    private func planSections(_ plan: Plan) -> String {
        var text = ""
        if plan.measured?.isEmpty == false {
            text += "## Plans measured on the planning data\n\n"
            if sensitivity.fit == .calibrated, sensitivity.provenance.calibrationSHA256 == nil {
                text += "Codes are calibrated on these items too, which flatters all plans alike.\n\n"
            }
            if plan.provenance?.targets == .own {
                text += "KL is measured on the full-precision model's own outputs.\n\n"
            }
            text += plan.measuredTable(
                metricName: sensitivity.metricName, fullPrecisionBytes: sensitivity.layout.fullPrecisionBytes)
            text += "\n"
        }
        if plan.rounds?.isEmpty == false {
            text += "## Planning in context\n\n"
            text +=
                "Each round solves exactly what is known from measurements around the best plans so far, and measures the answer.\n\n"
            text += plan.roundsTable + "\n"
        }
        return text
    }
}
