import PlanFormat

extension FrontierTable {
    /// The frontier as Markdown: its ends and knee, and how far the plans beside it are from the least loss
    /// of their bytes.
    package var markdown: String { extentText + "\n\n" + plansTable.text }

    /// The frontier's ends and knee and the plans beside it, by bytes.
    var plansTable: MarkdownTable {
        var table = MarkdownTable([
            "plan", "bytes", "compression", "KL predicted", "least KL of these bytes", "KL measured",
        ])
        for row in rows.sorted(by: { ($0.bytes, $0.origin.description) < ($1.bytes, $1.origin.description) })
        {
            table.add([
                row.kind == .chosen ? "**\(row.origin)**" : "\(row.origin)", grouped(row.bytes),
                compressionText(row.bytes, of: fullPrecisionBytes), row.predictedKL.map(klText) ?? "",
                row.leastKL.map(klText) ?? "",
                row.measuredKL.map { klText($0) + intervalText(row.measuredInterval, klText) } ?? "",
            ])
        }
        return table
    }

    private var rows: [PlanPoint] {
        func onFrontier(_ name: String, _ index: Int) -> PlanPoint {
            PlanPoint(
                origin: .named(name), kind: .optimum, bytes: points[index].bytes,
                predictedKL: points[index].klNats,
                measuredKL: nil, leastKL: points[index].klNats)
        }
        var rows = plans
        if let knee, points.indices.contains(knee) { rows.append(onFrontier("knee", knee)) }
        guard points.count > 1 else { return rows }
        return rows + [onFrontier("smallest", 0), onFrontier("largest", points.count - 1)]
    }

    /// How many plans there are, which, and what their losses are: one paragraph.
    var extentText: String {
        let points = grouped(points.count)
        let which =
            switch extent {
            case .complete:
                "All \(points) plans of which no other has both fewer bytes and less predicted loss"
            case .sampled:
                "\(points) plans: the vertices of the convex hull, and exact optima at the sizes below"
            }
        if let proxy {
            return which
                + ". The losses are not measured: where it says KL, predicted is the sum of the table's cells, \(ProxySignal.lossName(proxy))."
        }
        return which
            + ". Predicted is the sum of the table's cells, each measured with the rest in full precision; at low bits losses do not "
            + "add up, so plans are compared by what they measure."
    }
}

extension PlanPrices {
    /// Every sublayer of the plan with its price of one step less and one step more, and the exchanges that
    /// the noise leaves open.
    package var markdown: String { markdown(listsSteps: true) }

    /// The prices as Markdown, with or without the table of steps.
    func markdown(listsSteps: Bool) -> String {
        var text = introduction + "\n\n" + (listsSteps ? stepsTable.text + "\n" : "") + nearTiesText + "\n"
        if exchangeCount > 0 { text += "\n" + exchangesText + "\n\n" + exchangesTable.text }
        return text
    }

    /// What a megabyte is worth, and how the table of steps is read: one paragraph.
    var introduction: String {
        let source =
            switch basis {
            case .table:
                "from the sensitivity table, where each sublayer was measured with the rest in full precision"
            case .context: "measured around this plan"
            }
        let time =
            klPerMillisecond.map {
                ", a millisecond of a mean sentence \(klText($0)) where time is what is limited"
            } ?? ""
        return
            "At the margin a megabyte is worth \(klText(klPerMegabyte)) nats of KL\(time). A step less (more) is the next cheaper (dearer) scheme: "
            + "its change of KL in nats x 1000 with half its 95% interval, its bytes, and KL per megabyte\(klPerMillisecond == nil ? "" : " and per millisecond"); losses are \(source). "
            + "`~` marks a step that the noise does not tell from the margin: it could have gone the other way."
    }

    /// Every sublayer with what it has, and the price of one step less and one step more.
    var stepsTable: MarkdownTable {
        let perTime = klPerMillisecond == nil ? [] : ["KL/ms"]
        var table = MarkdownTable(
            ["sublayer", "scheme", "bits", "bytes", "one step less", "bytes", "KL/MB"] + perTime
                + ["one step more", "bytes", "KL/MB"] + perTime)
        for entry in sublayers {
            table.add(
                [
                    entry.sublayer.description, entry.scheme.description, fixed(entry.bitsPerWeight, 2),
                    grouped(entry.bytes),
                ] + cells(entry.cheaper, entry.cheaperSeconds) + cells(entry.dearer, entry.dearerSeconds))
        }
        return table
    }

    /// Which sublayers could as well have more or less: one sentence.
    var nearTiesText: String {
        let ties = sublayers.filter(\.isNearTie).map(\.sublayer.description)
        return ties.isEmpty
            ? "No step lies within the noise of the margin."
            : "Near-ties: \(ties.joined(separator: ", "))."
    }

    /// How many exchanges the noise leaves open: one sentence.
    var exchangesText: String {
        "Exchanges that fit the budget and whose change of KL cannot be told from none: \(exchangeCount)"
            + (exchanges.count < exchangeCount ? ", of which the first \(exchanges.count)" : "") + "."
    }

    /// The exchanges that the noise leaves open.
    var exchangesTable: MarkdownTable {
        var open = MarkdownTable(["up", "down", "KL x 1000", "bytes"])
        for exchange in exchanges {
            open.add([
                "\(exchange.up.sublayer) to \(exchange.up.scheme)",
                "\(exchange.down.sublayer) to \(exchange.down.scheme)", signed(1000 * exchange.klChange),
                (exchange.bytesChange > 0 ? "+" : "") + grouped(exchange.bytesChange),
            ])
        }
        return open
    }

    private func cells(_ step: SublayerStep?, _ seconds: Double?) -> [String] {
        let isTimed = klPerMillisecond != nil
        guard let step else { return ["", "", ""] + (isTimed ? [""] : []) }
        let reach = step.standardError.map {
            " ± " + significant(1000 * LossMeasurement.intervalFactor * $0, 2)
        }
        let isOpen = step.klPerMegabyteReach.map { abs(step.klPerMegabyte - klPerMegabyte) <= $0 } ?? false
        return [
            "\(step.scheme): \(signed(1000 * step.klChange))\(reach ?? "")",
            (step.bytesChange > 0 ? "+" : "") + grouped(step.bytesChange),
            (isOpen ? "~ " : "") + significant(step.klPerMegabyte, 3),
        ] + (isTimed ? [seconds.map { $0 == 0 ? "" : significant(-step.klChange / $0 / 1e3, 3) } ?? ""] : [])
    }

    private func signed(_ value: Double) -> String { (value > 0 ? "+" : "") + significant(value, 3) }
}
