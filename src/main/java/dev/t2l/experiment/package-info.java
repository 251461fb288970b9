/**
 * Experiments on Text-to-LoRA, each a question with a table and a plot for an answer: what {@code t2l experiment} runs. An {@link dev.t2l.experiment.Experiment}
 * asks a {@link dev.t2l.experiment.Laboratory} to train and to evaluate; a {@link dev.t2l.experiment.Campaign} runs several that share models, trained
 * networks and answers.
 */
package dev.t2l.experiment;
