import BitplanModels
import BitplanWorkflows
import Foundation

/// Files that a model is measured, calibrated or checked on.
///
/// A translation model takes a source and a reference file, one sentence a line; a classifier
/// `text<TAB>label` or `text<TAB>text<TAB>label`, a sentence encoder `text<TAB>text<TAB>score`, a language
/// model plain text. Without references, labels or scores (a source file alone, a text a line) plans are
/// judged by KL alone, on the full-precision model's own outputs.
public struct TextData: Sendable {
    /// The files, in the order that the model's task expects.
    public var files: [URL]
    /// Only the first items; all where nil.
    public var limit: Int?
    /// Language models: tokens of a window of text; as many as usual where nil.
    public var context: Int?
    /// Language models: tokens by which windows move on; half a window where nil.
    public var stride: Int?

    /// The items of these files.
    public init(_ files: [URL], limit: Int? = nil, context: Int? = nil, stride: Int? = nil) {
        self.files = files
        self.limit = limit
        self.context = context
        self.stride = stride
    }

    /// What the stages read.
    var source: DataSource {
        DataSource(
            files: files, limit: limit,
            windows: context == nil && stride == nil ? nil : TextWindows(context: context, stride: stride))
    }
}
