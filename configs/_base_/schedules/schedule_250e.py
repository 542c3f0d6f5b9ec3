_base_ = './schedule_500e.py'

max_epochs = 250
val_interval = 5

train_cfg = dict(max_epochs=max_epochs, val_interval=val_interval)
default_hooks = dict(checkpoint=dict(interval=val_interval))
