/// What a family reads under one `model_type`, for people who look for a model.
package struct PublishedModels: Sendable, Encodable {
    /// `model_type` in config.json.
    package let modelType: String
    /// Published checkpoints of the kind; those of the same class and configuration keys are read alike.
    package let checkpoints: String
    /// What the models are used for, by their classes.
    package let tasks: String
    /// What is refused, by name, where a model asks for it.
    package let lacks: String

    /// A row of the table.
    init(_ modelType: String, checkpoints: String, tasks: String, lacks: String) {
        self.modelType = modelType
        self.checkpoints = checkpoints
        self.tasks = tasks
        self.lacks = lacks
    }
}
