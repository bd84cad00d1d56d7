import PlanFormat

/// What a plan's packed model was measured to lose, item by item.
package struct PlanMeasurement: Sendable {
    /// The loss of every item.
    package let losses: [ItemLoss]
    /// What the task's metric is made of, in an order of its own; nil where none was measured.
    package let metric: MetricItems?

    /// A measurement from its parts.
    package init(_ losses: [ItemLoss], metric: MetricItems?) {
        self.losses = losses
        self.metric = metric
    }

    /// The means.
    package var mean: LossMeasurement { LossMeasurement(losses, metric: metric?.value) }

    /// The 95% interval of KL per prediction, in nats; nil below two items.
    package var klInterval: Interval? {
        (try? Estimate(perTokenOf: losses.map(\.kl)).interval()).map(Interval.init)
    }

    /// The 95% interval of the task's metric; nil where there is none.
    package var metricInterval: Interval? {
        metric.flatMap { try? Bootstrap().interval($0) }.map(Interval.init)
    }

    /// How this plan differs from another one that was measured on the same items.
    ///
    /// - Parameters:
    ///   - name: what the other is called.
    ///   - comparesKL: whether KL was measured against a full-precision model.
    /// - Throws: `MetricError` where the two were not measured on the same items.
    package func compared(
        with other: PlanMeasurement, named name: String, comparesKL: Bool = true
    ) throws(MetricError) -> PairedComparison {
        var kl: Difference?
        if comparesKL {
            try MetricError.requireEqualCounts("baseline", other.losses.count, "candidate", losses.count)
            let (ours, its) = (losses.map(\.kl), other.losses.map(\.kl))
            let interval =
                losses.count > 1
                ? Interval(try Estimate.pairedDifference(baseline: its, candidate: ours).interval()) : nil
            kl = Difference(value: mean.klNats - other.mean.klNats, interval: interval)
        }
        var difference: Difference?
        if let metric, let its = other.metric {
            difference = Difference(
                value: metric.value - its.value,
                interval: try Bootstrap().pairedInterval(baseline: its, candidate: metric).map(Interval.init))
        }
        return PairedComparison(name: name, items: losses.count, klNats: kl, metric: difference)
    }
}

extension Plan.MeasuredPlan {
    /// A plan as it was measured, with the intervals of KL and metric.
    package init(
        origin: PlanOrigin, bytes: Int, _ measurement: PlanMeasurement, against: PairedComparison? = nil,
        setAside: SetAside? = nil
    ) {
        let mean = measurement.mean
        self.init(
            origin: origin, bytes: bytes, klNats: mean.klNats, klInterval: measurement.klInterval,
            metric: mean.metric, metricInterval: measurement.metricInterval, against: against,
            setAside: setAside)
    }
}

extension Interval {
    fileprivate init(_ interval: ConfidenceInterval) {
        self.init(low: interval.lower, high: interval.upper)
    }
}
