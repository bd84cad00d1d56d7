import PlanFormat

extension TrainingLog {
    /// The run as Markdown: what was done, the losses on the way, and what is written.
    ///
    /// - Parameter figure: the name of the curve's picture, which then has to stand beside the report.
    package func markdown(title: String, figure: String?) -> String {
        let start = points.first?.heldOut ?? 0
        let best = points.first { $0.step == bestStep }?.heldOut ?? start
        var text = "# \(title)\n\n"
        text +=
            "Recipe `\(recipe)` on \(plan), \(grouped(bytes)) bytes: \(grouped(steps)) steps over \(grouped(items)) items, "
            + "chosen by \(grouped(heldOutItems)) others.\n\n"
        text +=
            bestStep == 0
            ? "No parameters were better than the start on held-out items: the start is written.\n\n"
            : "Held-out KL falls from \(fixed(start, 4)) to \(fixed(best, 4)) nats, at step \(grouped(bestStep)), whose parameters are written.\n\n"
        if let packedHeldOut {
            text += "The packed model, by its own kernels: \(fixed(packedHeldOut, 4)) nats.\n\n"
        }
        if let metric {
            text +=
                "\(metric.name) on held-out items: \(fixed(metric.start, 4)) before, \(fixed(metric.end, 4)) after.\n\n"
        }
        if let figure { text += "![Held-out and training loss by step](\(figure))\n\n" }
        // A run that learns from labels is judged by them.
        let hasLabels = points.contains { $0.heldOutCrossEntropy != nil }
        var table = MarkdownTable(
            ["step", "held-out KL"] + (hasLabels ? ["held-out cross-entropy"] : []) + ["training loss"])
        for point in points {
            table.add(
                [grouped(point.step), fixed(point.heldOut, 4)]
                    + (hasLabels ? [point.heldOutCrossEntropy.map { fixed($0, 4) } ?? "-"] : [])
                    + [point.training.map { fixed($0, 4) } ?? "-"])
        }
        text += table.text + "\n"
        var values = MarkdownTable(["setting", "value"])
        for (name, value) in settings.sorted(by: { $0.key < $1.key }) { values.add([name, value]) }
        return text + values.text
    }

    /// Held-out loss and the mean loss of the batches, by step.
    package var curveSVG: String {
        var picture = Picture(width: 830, height: 380, title: "Held-out and training loss by step")
        let area = (left: 76.0, top: 12.0, right: 814.0, bottom: 320.0)
        let across = Axis(.linear, over: points.map { Double($0.step) }, from: area.left, to: area.right)
        let up = Axis(
            .linear, over: points.flatMap { [$0.heldOut] + ($0.training.map { [$0] } ?? []) },
            from: area.bottom, to: area.top)
        picture.draw(across, about: 8, up, about: 7)
        picture.text("steps", x: (area.left + area.right) / 2, y: area.bottom + 35, anchor: .middle)
        picture.verticalText("KL, nats", x: 14, y: (area.top + area.bottom) / 2)
        let training = points.compactMap { point in
            point.training.map { (across.pixel(Double(point.step)), up.pixel($0)) }
        }
        picture.line(training, colour: Palette.measured, width: 2, dash: "5 4")
        picture.line(
            points.map { (across.pixel(Double($0.step)), up.pixel($0.heldOut)) }, colour: Palette.frontier,
            width: 2)
        if let best = points.first(where: { $0.step == bestStep }) {
            let (x, y) = (across.pixel(Double(best.step)), up.pixel(best.heldOut))
            picture.polygon(
                [(x - 5, y), (x, y - 5), (x + 5, y), (x, y + 5)], colour: Palette.chosen, isFilled: true,
                note: "written: step \(grouped(best.step)), KL \(fixed(best.heldOut, 4))")
        }
        for (index, (name, colour, dash)) in [
            ("held-out items", Palette.frontier, nil), ("batches", Palette.measured, "5 4"),
        ].enumerated() {
            let x = area.left + 20 + 180 * Double(index)
            let y = area.bottom + 50
            picture.line([(x, y - 4), (x + 24, y - 4)], colour: colour, width: 2, dash: dash)
            picture.text(name, x: x + 30, y: y)
        }
        return picture.svg
    }
}
