/* report_json.c - report.h: report.json, which the page reads, too. Shares have six decimals;
 * classes are named by their ids in the model. */
#include "base/version.h"
#include "cam_json.h"
#include "report.h"
#include "wire/file_name.h"

/* A table has a cell for each two of so many classes at most; "confused" has all that are not 0. */
enum { TABLE_CLASSES = 100, SHARE_DECIMALS = 6 };

static void add_fraction(json *tree, const char *name, double value) {
  json_add_fixed(tree, name, value, SHARE_DECIMALS);
}

static json *add_share(json *tree, const char *name, const report_share *share) {
  json *object = json_add_object(tree, name);
  json_add_int(object, "right", share->right);
  json_add_int(object, "of", share->of);
  add_fraction(object, "share", report_share_value(share));
  add_fraction(object, "low", share->low);
  add_fraction(object, "high", share->high);
  return object;
}

static void add_model_facts(json *tree, const cam_model_info *model) {
  json *object = json_add_object(tree, "model");
  json_add_text(object, "name", model->name);
  json_add_text(object, "sha256", model->sha256);
  json_add_text(object, "method", cam_method_name(model->method));
  json_add_text(object, "probability", cam_probability_name(model->probability));
  json_add_int(object, "classes", model->classes);
}

static void add_skipped(json *tree, const report *about) {
  const report_answers *answers = &about->answers;
  json *list = json_add_array(tree, "skipped");
  for (int i = 0; i < answers->n; i++) {
    const report_photo *photo = &answers->photos[i];
    if (!photo->error.code)
      continue;
    json *item = json_add_object(list, NULL);
    file_name_add(item, photo->path);
    json_add_int(item, "class_id", photo->class_id);
    json_add_text(item, "error", photo->error.detail);
  }
}

static void add_classes(json *tree, const cam_model_info *model, const report_figures *figures) {
  json *list = json_add_array(tree, "classes");
  for (int i = 0; i < figures->n_classes; i++) {
    const report_class *row = &figures->classes[i];
    json *item = json_add_object(list, NULL);
    json_add_int(item, "class_id", row->class_id);
    json_add_text(item, "label", model->class_list[row->class_id].label);
    if (*model->class_list[row->class_id].wnid)
      json_add_text(item, "wnid", model->class_list[row->class_id].wnid);
    json_add_int(item, "photos", row->recall.of);
    json_add_int(item, "predicted", row->precision.of);
    json_add_int(item, "right", row->recall.right);
    add_share(item, "recall", &row->recall);
    add_share(item, "precision", &row->precision);
  }
}

/* ---- what is taken for what ---- */

static int photos_between(const report_figures *figures, const report_class *row,
                          const report_class *column) {
  if (row == column)
    return row->recall.right;
  for (int i = 0; i < figures->n_pairs; i++)
    if (figures->pairs[i].class_id == row->class_id && figures->pairs[i].given == column->class_id)
      return figures->pairs[i].photos;
  return 0;
}

static void add_confusion(json *tree, const report_figures *figures) {
  json *list = json_add_array(tree, "confused");
  for (int i = 0; i < figures->n_pairs; i++) {
    json *pair = json_add_array(list, NULL);
    json_add_int(pair, NULL, figures->pairs[i].class_id);
    json_add_int(pair, NULL, figures->pairs[i].given);
    json_add_int(pair, NULL, figures->pairs[i].photos);
  }
  if (figures->n_classes > TABLE_CLASSES)
    return;
  json *table = json_add_array(tree, "confusion");
  for (int i = 0; i < figures->n_classes; i++) {
    json *row = json_add_array(table, NULL);
    for (int k = 0; k < figures->n_classes; k++)
      json_add_int(row, NULL, photos_between(figures, &figures->classes[i], &figures->classes[k]));
  }
}

/* ---- how sure ---- */

static void add_calibration(json *tree, const char *name, const report_calibration *all) {
  json *object = json_add_object(tree, name);
  add_fraction(object, "temperature", all->temperature);
  add_fraction(object, "error", all->error);
  add_fraction(object, "cross_entropy", all->cross_entropy);
  json *bins = json_add_array(object, "bins");
  for (int b = 0; b < REPORT_BINS; b++) {
    const report_bin *bin = &all->bins[b];
    json *item = json_add_object(bins, NULL);
    json_add_fixed(item, "from", (double)b / REPORT_BINS, 2);
    json_add_fixed(item, "to", (double)(b + 1) / REPORT_BINS, 2);
    json_add_int(item, "photos", bin->photos);
    json_add_int(item, "right", bin->right);
    add_fraction(item, "probability", bin->probability);
  }
}

static void add_cover(json *list, const report_cover *cover, int photos, double target) {
  json *item = json_add_object(list, NULL);
  if (target > 0)
    json_add_fixed(item, "target", target, 2);
  json_add_int(item, "answered", cover->photos);
  add_fraction(item, "answered_share", (double)cover->photos / photos);
  json_add_number(item, "least_probability", (double)cover->least);
  add_share(item, "accuracy", &cover->right);
}

static void add_sureness(json *tree, const report_figures *figures) {
  json *object = json_add_object(tree, "calibration");
  add_calibration(object, "as_said", &figures->said);
  if (figures->fitted)
    add_calibration(object, "fitted", &figures->at_best);
  if (figures->stored)
    add_calibration(object, "stored", &figures->at_stored);
  json *list = json_add_array(tree, "coverage");
  for (int i = 0; i < figures->n_covers; i++)
    add_cover(list, &figures->covers[i], figures->accuracy.of, 0);
  list = json_add_array(tree, "answer_above");
  for (int t = 0; t < REPORT_TARGETS; t++)
    if (figures->targets[t].photos)
      add_cover(list, &figures->targets[t], figures->accuracy.of, report_targets[t]);
}

/* ---- training ---- */

static void add_part(json *item, const char *name, double share) {
  if (share >= 0)
    add_fraction(item, name, share);
}

static void add_training(json *tree, const report *about) {
  if (about->n_epochs) {
    json_add_bool(tree, "epoch_chosen_by_these_photos", true);
    json *list = json_add_array(tree, "epochs");
    for (int i = 0; i < about->n_epochs; i++) {
      const report_epoch *epoch = &about->epochs[i];
      json *item = json_add_object(list, NULL);
      json_add_int(item, "epoch", epoch->number);
      json_add_number(item, "loss", epoch->loss);
      json_add_number(item, "cross_entropy", epoch->cross_entropy);
      json_add_number(item, "weight_decay", epoch->weight_decay);
      add_part(item, "train_accuracy", epoch->train);
      add_part(item, "val_accuracy", epoch->val);
    }
  }
  if (!about->n_sizes)
    return;
  json *list = json_add_array(tree, "photos_per_class");
  for (int i = 0; i < about->n_sizes; i++) {
    json *item = json_add_object(list, NULL);
    json_add_int(item, "photos", about->sizes[i].photos_per_class);
    add_share(item, "accuracy", &about->sizes[i].accuracy);
  }
}

/* ---- all of it ---- */

char *report_json(const report *about, const report_figures *figures, bool compact) {
  json *tree = json_new_object();
  json_add_int(tree, "camserve_report", 1);
  json_add_text(tree, "version", cam_version);
  add_model_facts(tree, about->model);
  json_add_text(tree, "data", about->data);
  json_add_int(tree, "photos", about->answers.n_read);
  add_skipped(tree, about);
  add_share(tree, "accuracy", &figures->accuracy);
  if (about->model->classes > REPORT_TOP)
    add_share(tree, "top5", &figures->top);
  json *largest = add_share(tree, "largest_class", &figures->largest);
  json_add_int(largest, "class_id", figures->largest_class);
  add_fraction(tree, "mean_recall", figures->mean_recall);
  json_add_bool(tree, "mirrored_maps", about->mirrored);
  add_classes(tree, about->model, figures);
  add_confusion(tree, figures);
  add_sureness(tree, figures);
  add_training(tree, about);
  char *text = json_print(tree, compact, NULL);
  json_free(tree);
  return text;
}
