# Fine-tuning on data of your own: AdamW below 10,000 optimizer steps, SGD above
_base_ = './schedule_500e.py'

max_epochs = 100
val_interval = 5
auto_optimizer = True

train_cfg = dict(max_epochs=max_epochs, val_interval=val_interval)
auto_scale_lr = dict(base_batch_size=64)  # images per optimizer step
default_hooks = dict(
    param_scheduler=dict(auto_optimizer=auto_optimizer), checkpoint=dict(interval=val_interval))
