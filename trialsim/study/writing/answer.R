# The closed forms behind the answer of a study, computed again, and one simulated trial.
#
#   Rscript answer.R
#
# Base R computes the sample sizes from the moments of each choice's people (pool_moments.csv), as
# longpower and power.t.test do: a two-sample t test of the change, ANCOVA with random covariates,
# MMRM with monotone drop-out (Lu, Luo and Chen 2008), the difference of random slopes. nlme (part of
# every R) fits one trial drawn from the same moments. The last line says whether all sizes agree.

options(width = 160)
args <- commandArgs(FALSE)
here <- sub("^--file=", "", args[grep("^--file=", args)])
if (length(here)) setwd(dirname(normalizePath(here)))
moments <- read.csv("pool_moments.csv", stringsAsFactors = FALSE)
sizes <- read.csv("sample_sizes.csv", stringsAsFactors = FALSE)
design <- read.csv("design.csv", stringsAsFactors = FALSE)
stated <- function(name) {
  text <- design$value[design$name == name]
  as.numeric(strsplit(text, " ")[[1]])
}

months <- stated("visits_months")
alpha <- stated("alpha"); sides <- stated("sides"); target <- stated("target_power")
ratio <- stated("allocation_ratio"); slowing <- stated("slowing")
normal <- stated("normal_change_per_year")
last <- max(months)
retention <- stated("retention_control")
retained <- stated("retention_treatment")
# the difference of the arms at each visit, for a slowed decline that ends at `change`
shift_for <- function(change) {
  -slowing * (change - normal * last / 12) * stated("course") - stated("pseudo_atrophy")
}

# Power of a t test of `delta`; `unit` is the variance of the difference times the control arm.
power_t <- function(n, delta, unit, ratio, q = 0) {
  total <- n * (1 + ratio)
  # a random covariate costs 1 + q / (N - q - 3)
  loss <- if (q > 0) 1 + q / (total - q - 3) else 1
  df <- total - 2 - q
  ncp <- abs(delta) / sqrt(unit / n * loss)
  critical <- qt(alpha / sides, df, lower.tail = FALSE)
  # pt is exact to 1e-7 or so for a noncentral t; the far tail is 0 there
  upper <- pt(critical, df, ncp, lower.tail = FALSE)
  if (sides == 2) upper + suppressWarnings(pt(-critical, df, ncp)) else upper
}

size_for <- function(delta, unit, ratio, q = 0) {
  low <- max(2, 2 / ratio, (q + 4) / (1 + ratio))
  excess <- function(n) power_t(n, delta, unit, ratio, q) - target
  if (excess(low) >= 0) return(low)
  high <- low
  while (excess(high) < 0) high <- 2 * high
  uniroot(excess, c(low, high), tol = 1e-9)$root
}

# Variance of the last visit's mean over that with everyone seen, by the pattern of leaving.
pattern_information <- function(covariance, seen, x = diag(nrow(covariance))) {
  leaves <- seen - c(seen[-1], 0)
  information <- 0
  for (k in seq_along(leaves)) {
    own <- x[1:k, , drop = FALSE]
    information <- information +
      leaves[k] * t(own) %*% solve(covariance[1:k, 1:k, drop = FALSE], own)
  }
  information
}

read_matrix <- function(rows) {
  names <- unique(rows$quantity)
  m <- matrix(0, length(names), length(names), dimnames = list(names, names))
  m[cbind(rows$quantity, rows$other)] <- rows$covariance
  m
}

compute <- function(rows, analysis) {
  m <- read_matrix(rows)
  visits <- paste("month", format(months, trim = TRUE, drop0trailing = TRUE))
  y <- length(visits)
  change <- rows$true_change[match(visits, rows$quantity)]
  shift <- shift_for(change[y])
  delta <- shift[y]
  with_score <- grepl("_score$", analysis)
  kind <- sub("_score$", "", analysis)
  known <- c(visits[1], if (with_score) "score")
  measured <- ratio * retained[y] / retention[y]
  if (kind == "change") {
    v <- m[visits[y], visits[y]] + m[visits[1], visits[1]] - 2 * m[visits[1], visits[y]]
    return(size_for(delta, v * (1 + 1 / measured), measured) / retention[y])
  }
  if (kind == "ancova") {
    b <- m[known, visits[y]]
    v <- m[visits[y], visits[y]] - sum(b * solve(m[known, known, drop = FALSE], b))
    return(size_for(delta, v * (1 + 1 / measured), measured, length(known)) / retention[y])
  }
  if (kind == "mmrm") {
    later <- visits[-1]
    b <- m[later, known, drop = FALSE]
    v <- m[later, later, drop = FALSE] - b %*% solve(m[known, known, drop = FALSE], t(b))
    k <- length(later)
    control <- solve(pattern_information(v, retention[-1]))[k, k]
    treated <- solve(pattern_information(v, retained[-1]))[k, k]
    return(size_for(delta, control + treated / ratio, ratio))
  }
  line <- c("intercept", "slope")
  random <- m[line, line]
  if (with_score) random <- random - tcrossprod(m[line, "score"]) / m["score", "score"]
  x <- cbind(1, months)
  v <- x %*% random %*% t(x) + m["residual", "residual"] * diag(y)
  centered <- months - mean(months)
  slope <- sum(centered * shift) / sum(centered^2)
  control <- pattern_information(v, retention, x)
  treated <- pattern_information(v, retained, x)
  if (stated("common_baseline") == 1) {
    own <- rbind(c(1, 0, 0), c(0, 1, 0))
    both <- rbind(c(1, 0, 0), c(0, 1, 1))
    whole <- t(own) %*% control %*% own + ratio * t(both) %*% treated %*% both
    unit <- solve(whole)[3, 3]
  } else {
    unit <- solve(control)[2, 2] + solve(treated)[2, 2] / ratio
  }
  size_for(slope, unit, ratio)
}

sizes$r_n_control <- NA
for (i in which(is.finite(sizes$closed_form_n_control))) {
  own <- moments$strategy == sizes$strategy[i] &
    abs(moments$fraction_enrolled - sizes$fraction_enrolled[i]) < 1e-9
  sizes$r_n_control[i] <- compute(moments[own, ], sizes$analysis[i])
}
shown <- sizes[, c("strategy", "fraction_enrolled", "analysis", "closed_form_n_control",
                   "r_n_control", "n_control")]
names(shown)[6] <- "simulated_n_control"
print(shown, row.names = FALSE, digits = 7)

# One trial of the first choice, as large as simulated, with nobody leaving.
trial <- sizes[which(is.finite(sizes$r_n_control))[1], ]
if (nrow(trial) && length(months) > 2 && requireNamespace("nlme", quietly = TRUE)) {
  set.seed(1)
  rows <- moments[moments$strategy == trial$strategy &
                    abs(moments$fraction_enrolled - trial$fraction_enrolled) < 1e-9, ]
  m <- read_matrix(rows)
  visits <- paste("month", format(months, trim = TRUE, drop0trailing = TRUE))
  change <- rows$true_change[match(visits, rows$quantity)]
  shift <- shift_for(change[length(visits)])
  delta <- shift[length(visits)]
  n <- ceiling(trial$r_n_control); arms <- c(rep(0, n), rep(1, ceiling(n * ratio)))
  y <- matrix(rnorm(length(arms) * length(visits)), length(arms)) %*% chol(m[visits, visits])
  y <- sweep(y, 2, change, "+") + outer(arms, shift)
  long <- data.frame(
    person = rep(seq_along(arms), length(visits) - 1), arm = rep(arms, length(visits) - 1),
    base = rep(y[, 1], length(visits) - 1), y = as.vector(y[, -1]),
    visit = factor(rep(months[-1], each = length(arms)))
  )
  fit <- nlme::gls(y ~ visit * base + visit:arm, data = long, method = "REML",
                   correlation = nlme::corSymm(form = ~ as.integer(visit) | person),
                   weights = nlme::varIdent(form = ~ 1 | visit))
  row <- summary(fit)$tTable[paste0("visit", last, ":arm"), ]
  cat(sprintf("\nOne trial of %d people by MMRM (nlme::gls): %.4g (se %.3g), true %.4g\n",
              length(arms), row["Value"], row["Std.Error"], delta))
}

apart <- abs(sizes$r_n_control / sizes$closed_form_n_control - 1)
worst <- suppressWarnings(max(apart, na.rm = TRUE))
cat(sprintf("\n%d sizes, largest relative difference %.1e: %s\n", sum(is.finite(apart)), worst,
            if (is.finite(worst) && worst < 1e-4) "AGREE" else "DIFFER"))
if (!is.finite(worst) || worst >= 1e-4) quit(status = 1)
