"""Questions to answers: engines, likelihoods of given answers, and the guards of both."""
